import { attribute, type Node } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { integers, make, stridesOf, wrapAxis, type Value } from '../value.ts';

/** How one axis of a Resize reads: each output place as [input place, weight] pairs. */
export type AxisWeights = readonly (readonly (readonly [number, number])[])[];

export const resampling: Readonly<Record<string, Kernel>> = {
  Resize: ([x, , scales, sizes], node) => {
    const { ratio, output } = resizeGeometry(x!.shape, node, scales, sizes);
    let value = x!;
    for (const [axis, side] of x!.shape.entries()) {
      if (side === output[axis] && ratio[axis] === 1) continue;
      value = along(value, axis, axisWeights(node, side, output[axis]!, ratio[axis]!), output[axis]!, false);
    }
    return [value];
  },
  GridSample: ([x, grid], node) => [gridSample(x!, grid!, node)],
  AffineGrid: ([theta, size], node) => [affineGrid(theta!, integers(size!), node)],
  ResizeGrad: ([dY], node) => {
    const input = attribute(node, 'input_shape', 'ints');
    const ratio = attribute(node, 'scales', 'floats');
    let value = dY!;
    for (const [axis, side] of input.entries()) {
      const out = dY!.shape[axis]!;
      if (side === out && ratio[axis] === 1) continue;
      value = along(value, axis, axisWeights(node, side, out, ratio[axis]!), side, true);
    }
    return [value];
  },
};

function affineGrid(theta: Value, size: readonly number[], node: Node): Value {
  const [n, , ...sides] = size as [number, number, ...number[]];
  const rank = sides.length;
  const aligned = attribute(node, 'align_corners', 'int', 0) === 1;
  const result = make(theta, [n, ...sides, rank]);
  const strides = stridesOf([n, ...sides]);
  for (let i = 0; i < result.data.length / rank; i++) {
    const batch = Math.floor(i / strides[0]!);
    // x belongs to the last axis.
    const point = sides
      .map((side, axis) => {
        const at = Math.floor(i / strides[axis + 1]!) % side;
        return aligned ? -1 + (2 * at) / (side - 1) : -1 + (2 * at + 1) / side;
      })
      .toReversed();
    for (let row = 0; row < rank; row++) {
      const start = (batch * rank + row) * (rank + 1);
      result.data[i * rank + row] = point.reduce(
        (sum, p, k) => sum + p * theta.data[start + k]!,
        theta.data[start + rank]!,
      );
    }
  }
  return result;
}

function mirrored(place: number, low: number, high: number): number {
  let inside = place;
  while (inside < low || inside > high) inside = inside < low ? 2 * low - inside : 2 * high - inside;
  return inside;
}

/** PyTorch's grid_sample, place by place. */
function gridSample(x: Value, grid: Value, node: Node): Value {
  const [n, channels, height, width] = x.shape as [number, number, number, number];
  const [, rows, columns] = grid.shape as [number, number, number];
  const aligned = attribute(node, 'align_corners', 'int', 0) === 1;
  const padding = attribute(node, 'padding_mode', 'string', 'zeros');
  const near = attribute(node, 'mode', 'string', 'linear') === 'nearest';
  const place = (unit: number, side: number): number => {
    const at = aligned ? ((unit + 1) / 2) * (side - 1) : ((unit + 1) * side - 1) / 2;
    if (padding === 'zeros') return at;
    const [low, high] = aligned ? [0, side - 1] : [-0.5, side - 0.5];
    const inside = padding === 'reflection' ? mirrored(at, low, high) : at;
    return Math.min(Math.max(inside, 0), side - 1);
  };
  const result = make(x, [n, channels, rows, columns]);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < rows * columns; p++) {
      const at = (i * rows * columns + p) * 2;
      const [h, v] = [place(grid.data[at]!, width), place(grid.data[at + 1]!, height)];
      const taps = near
        ? [[Math.round(v), Math.round(h), 1] as const]
        : [0, 1].flatMap((dv) =>
            [0, 1].map((dh) => {
              const [r, q] = [Math.floor(v) + dv, Math.floor(h) + dh];
              return [r, q, (1 - Math.abs(v - r)) * (1 - Math.abs(h - q))] as const;
            }),
          );
      for (let ch = 0; ch < channels; ch++) {
        let sum = 0;
        for (const [r, q, weight] of taps)
          if (r >= 0 && r < height && q >= 0 && q < width)
            sum += weight * x.data[((i * channels + ch) * height + r) * width + q]!;
        result.data[(i * channels + ch) * rows * columns + p] = sum;
      }
    }
  return result;
}

function resizeGeometry(shape: readonly number[], node: Node, scales: Value | undefined, sizes: Value | undefined) {
  const axes = attribute(
    node,
    'axes',
    'ints',
    shape.map((_, axis) => axis),
  ).map((axis) => wrapAxis(axis, shape.length));
  const ratio = shape.map(() => 1);
  const output = [...shape];
  const policy = attribute(node, 'keep_aspect_ratio_policy', 'string', 'stretch');
  if (scales !== undefined && scales.data.length > 0) {
    for (const [i, axis] of axes.entries()) {
      ratio[axis] = scales.data[i]!;
      output[axis] = Math.floor(shape[axis]! * scales.data[i]!);
    }
    return { ratio, output };
  }
  const wanted = integers(sizes!);
  const ratios = axes.map((axis, i) => wanted[i]! / shape[axis]!);
  for (const [i, axis] of axes.entries()) {
    const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
    ratio[axis] = policy === 'stretch' ? ratios[i]! : common;
    output[axis] = policy === 'stretch' ? wanted[i]! : Math.floor(shape[axis]! * common + 0.5);
  }
  return { ratio, output };
}

/** Applies weights, or their transpose, along one axis. */
function along(x: Value, axis: number, weights: AxisWeights, side: number, transpose: boolean): Value {
  const result = make(
    x,
    x.shape.map((length, i) => (i === axis ? side : length)),
  );
  const inner = stridesOf(x.shape)[axis]!;
  const from = x.shape[axis]!;
  const outer = x.data.length / (from * inner);
  for (let o = 0; o < outer; o++)
    for (const [out, pairs] of weights.entries())
      for (const [input, weight] of pairs)
        for (let i = 0; i < inner; i++) {
          const [read, write] = transpose ? [out, input] : [input, out];
          const at = (o * side + write) * inner + i;
          result.data[at] = result.data[at]! + weight * x.data[(o * from + read) * inner + i]!;
        }
  return result;
}

function axisWeights(node: Node, input: number, output: number, ratio: number): AxisWeights {
  const mode = attribute(node, 'mode', 'string', 'nearest');
  const coordinates = attribute(node, 'coordinate_transformation_mode', 'string', 'half_pixel');
  const a = attribute(node, 'cubic_coeff_a', 'float', -0.75);
  const antialias = attribute(node, 'antialias', 'int', 0) === 1 && ratio < 1;
  const exclude = attribute(node, 'exclude_outside', 'int', 0) === 1;
  return Array.from({ length: output }, (_, out) => {
    const x = originalPlace(coordinates, out, input, output, ratio);
    if (mode === 'nearest') return [[clamp(nearest(node, x), input), 1] as const];
    const stretch = antialias ? ratio : 1;
    const reach = (mode === 'linear' ? 1 : 2) / stretch;
    const kernel = mode === 'linear' ? (t: number) => Math.max(0, 1 - Math.abs(t)) : (t: number) => cubic(t, a);
    const pairs: [number, number][] = [];
    for (let i = Math.ceil(x - reach); i <= Math.floor(x + reach); i++) {
      const weight = kernel((i - x) * stretch);
      if (weight === 0 || (exclude && (i < 0 || i >= input))) continue;
      pairs.push([clamp(i, input), weight]);
    }
    const total = pairs.reduce((sum, [, weight]) => sum + weight, 0);
    return pairs.map(([i, weight]) => [i, weight / total] as const);
  });
}

function originalPlace(mode: string, out: number, input: number, output: number, ratio: number): number {
  switch (mode) {
    case 'asymmetric':
      return out / ratio;
    case 'align_corners':
      return output === 1 ? 0 : (out * (input - 1)) / (output - 1);
    case 'pytorch_half_pixel':
      return output > 1 ? (out + 0.5) / ratio - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const adjustment = output / (input * ratio);
      return (input / 2) * (1 - adjustment) + (out + 0.5) / ratio - 0.5;
    }
    default:
      return (out + 0.5) / ratio - 0.5;
  }
}

function nearest(node: Node, x: number): number {
  switch (attribute(node, 'nearest_mode', 'string', 'round_prefer_floor')) {
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5);
  }
}

/** Keys' cubic convolution kernel with parameter a. */
function cubic(t: number, a: number): number {
  const x = Math.abs(t);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

function clamp(i: number, side: number): number {
  return Math.min(Math.max(i, 0), side - 1);
}
