import { attribute, type Node } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { accumulateProduct, integers, make, map, mean, reduce, sum, type Value } from '../value.ts';

/** Where a sliding window looks: for every tap, for every place of the output, the place in one channel of the input, or -1. */
export interface Taps {
  readonly output: readonly number[];
  readonly tapCount: number;
  readonly placeCount: number;
  /** [tap, place] */
  readonly table: Int32Array;
  /** For every place, how many taps are inside the input or its padding. */
  readonly inPadded: Int32Array;
}

/** The geometry of Conv and the pools over the spatial sides of an input. */
export function tapsOf(node: Node, input: readonly number[], kernel: readonly number[]): Taps {
  const ones = input.map(() => 1);
  const strides = attribute(node, 'strides', 'ints', ones);
  const dilations = attribute(node, 'dilations', 'ints', ones);
  const reach = kernel.map((side, i) => (side - 1) * dilations[i]! + 1);
  let pads = attribute(
    node,
    'pads',
    'ints',
    [...ones, ...ones].map(() => 0),
  );
  const autoPad = attribute(node, 'auto_pad', 'string', 'NOTSET');
  if (autoPad.startsWith('SAME')) {
    const totals = input.map((side, i) =>
      Math.max(0, (Math.ceil(side / strides[i]!) - 1) * strides[i]! + reach[i]! - side),
    );
    const less = totals.map((total) => Math.floor(total / 2));
    const more = totals.map((total, i) => total - less[i]!);
    pads = autoPad === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less];
  }
  const ceil = attribute(node, 'ceil_mode', 'int', 0) === 1;
  const output = input.map((side, i) => {
    const room = (side + pads[i]! + pads[i + input.length]! - reach[i]!) / strides[i]!;
    const count = (ceil ? Math.ceil(room) : Math.floor(room)) + 1;
    // A window that would start beyond the input and its left padding is left out.
    return ceil && (count - 1) * strides[i]! >= side + pads[i]! ? count - 1 : count;
  });
  return windowTable(input, output, kernel, { strides, dilations, pads });
}

function windowTable(
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
  { strides, dilations, pads }: { strides: readonly number[]; dilations: readonly number[]; pads: readonly number[] },
): Taps {
  const [taps, outs] = [indicesOf(kernel), indicesOf(output)];
  const table = new Int32Array(taps.length * outs.length);
  const inPadded = new Int32Array(outs.length);
  for (const [t, tap] of taps.entries())
    for (const [p, out] of outs.entries()) {
      let place = 0;
      let padded = true;
      for (const [axis, side] of input.entries()) {
        const at = out[axis]! * strides[axis]! + tap[axis]! * dilations[axis]! - pads[axis]!;
        if (at >= side + pads[axis + input.length]!) padded = false;
        place = at < 0 || at >= side || place < 0 ? -1 : place * side + at;
      }
      table[t * outs.length + p] = place;
      if (padded) inPadded[p]! += 1;
    }
  return { output, tapCount: taps.length, placeCount: outs.length, table, inPadded };
}

function indicesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, side) => all.flatMap((index) => Array.from({ length: side }, (_, i) => [...index, i])),
    [[]],
  );
}

/** One group of one image laid out as [channels * taps, places]. */
export function unfolded(x: Float64Array, start: number, channels: number, area: number, taps: Taps): Float64Array {
  const size = taps.table.length;
  const columns = new Float64Array(channels * size);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < size; i++) {
      const place = taps.table[i]!;
      if (place >= 0) columns[c * size + i] = x[start + c * area + place]!;
    }
  return columns;
}

/** The transpose of `unfolded`: adds every column back to where it came from. */
export function folded(
  columns: Float64Array,
  x: Float64Array,
  start: number,
  channels: number,
  area: number,
  taps: Taps,
): void {
  const size = taps.table.length;
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < size; i++) {
      const place = taps.table[i]!;
      if (place >= 0) x[start + c * area + place] = x[start + c * area + place]! + columns[c * size + i]!;
    }
}

export function areaOf(shape: readonly number[]): number {
  return shape.slice(2).reduce((product, side) => product * side, 1);
}

/** The windows of a pool over one channel of x. */
function pooled(x: Value, node: Node, f: (start: number, place: number, taps: Taps) => number): Value {
  const taps = tapsOf(node, x.shape.slice(2), attribute(node, 'kernel_shape', 'ints'));
  const [n, c] = x.shape as [number, number];
  const result = make(x, [n, c, ...taps.output]);
  const area = areaOf(x.shape);
  for (let i = 0; i < n * c; i++)
    for (let p = 0; p < taps.placeCount; p++) result.data[i * taps.placeCount + p] = f(i * area, p, taps);
  return result;
}

function* insideOf(taps: Taps, place: number): Generator<number> {
  for (let t = 0; t < taps.tapCount; t++) {
    const at = taps.table[t * taps.placeCount + place]!;
    if (at >= 0) yield at;
  }
}

const spatial = (x: Value): number[] => x.shape.flatMap((_, axis) => (axis >= 2 ? [axis] : []));

export const windows: Readonly<Record<string, Kernel>> = {
  Conv: ([x, w, b], node) => {
    const groups = attribute(node, 'group', 'int', 1);
    const [n, c] = x!.shape as [number, number];
    const o = w!.shape[0]!;
    const taps = tapsOf(node, x!.shape.slice(2), w!.shape.slice(2));
    const area = areaOf(x!.shape);
    const result = make(x!, [n, o, ...taps.output]);
    if (b !== undefined)
      for (let i = 0; i < n * o; i++) result.data.fill(b.data[i % o]!, i * taps.placeCount, (i + 1) * taps.placeCount);
    const [inGroup, outGroup, depth] = [c / groups, o / groups, (c / groups) * taps.tapCount];
    for (let i = 0; i < n; i++)
      for (let g = 0; g < groups; g++) {
        const columns = unfolded(x!.data, (i * c + g * inGroup) * area, inGroup, area, taps);
        const at = [g * outGroup * depth, 0, (i * o + g * outGroup) * taps.placeCount] as const;
        accumulateProduct([outGroup, taps.placeCount, depth], w!.data, columns, result.data, at);
      }
    return [result];
  },
  FusedConv: ([x, w, b, z], node) => {
    const [y] = windows['Conv']!([x, w, b], node);
    const total = z === undefined ? y! : { ...y!, data: y!.data.map((v, i) => v + z.data[i]!) };
    return [fusedActivation(total, node, attribute(node, 'activation_params', 'floats', []))];
  },
  Col2Im: ([x, image, block], node) => {
    const sides = integers(image!);
    const kernel = integers(block!);
    const taps = tapsOf(node, sides, kernel);
    const channels = x!.shape[1]! / taps.tapCount;
    const shape = [x!.shape[0]!, channels, ...sides];
    const result = make(x!, shape);
    for (let i = 0; i < shape[0]!; i++) {
      const size = channels * taps.table.length;
      const columns = x!.data.slice(i * size, (i + 1) * size);
      folded(columns, result.data, i * channels * areaOf(shape), channels, areaOf(shape), taps);
    }
    return [result];
  },
  ConvTranspose: ([x, w, b], node) => {
    // By definition: every input element adds its kernel to the output.
    const groups = attribute(node, 'group', 'int', 1);
    const [n, c, ...sides] = x!.shape as [number, number, ...number[]];
    const [, outGroup, ...kernel] = w!.shape as [number, number, ...number[]];
    const { strides, dilations, pads, output } = transposedGeometry(node, sides, kernel);
    const o = outGroup * groups;
    const result = make(x!, [n, o, ...output]);
    const area = areaOf(result.shape);
    const [ins, taps] = [indicesOf(sides), indicesOf(kernel)];
    const table = ins.map((at) =>
      taps.map((tap) =>
        output.reduce((place, side, axis) => {
          const i = at[axis]! * strides[axis]! + tap[axis]! * dilations[axis]! - pads[axis]!;
          return i < 0 || i >= side || place < 0 ? -1 : place * side + i;
        }, 0),
      ),
    );
    for (let i = 0; i < n; i++)
      for (let ic = 0; ic < c; ic++)
        for (let oc = 0; oc < outGroup; oc++) {
          const start = (i * o + Math.floor(ic / (c / groups)) * outGroup + oc) * area;
          for (const [p, row] of table.entries())
            for (const [t, place] of row.entries()) {
              if (place < 0) continue;
              const product =
                x!.data[(i * c + ic) * ins.length + p]! * w!.data[(ic * outGroup + oc) * taps.length + t]!;
              result.data[start + place] = result.data[start + place]! + product;
            }
        }
    if (b !== undefined)
      for (let i = 0; i < result.data.length; i++) result.data[i] = result.data[i]! + b.data[Math.floor(i / area) % o]!;
    return [result];
  },
  MaxPool: ([x], node) => [
    pooled(x!, node, (start, place, taps) => {
      let best = -Infinity;
      for (const at of insideOf(taps, place)) best = Math.max(best, x!.data[start + at]!);
      return best;
    }),
  ],
  AveragePool: ([x], node) => {
    const counted = attribute(node, 'count_include_pad', 'int', 0) === 1;
    return [
      pooled(x!, node, (start, place, taps) => {
        let [total, count] = [0, 0];
        for (const at of insideOf(taps, place)) {
          total += x!.data[start + at]!;
          count++;
        }
        return total / (counted ? taps.inPadded[place]! : count);
      }),
    ];
  },
  LpPool: ([x], node) => {
    const p = attribute(node, 'p', 'int', 2);
    return [
      pooled(x!, node, (start, place, taps) => {
        let total = 0;
        for (const at of insideOf(taps, place)) total += Math.abs(x!.data[start + at]!) ** p;
        return total ** (1 / p);
      }),
    ];
  },
  GlobalAveragePool: ([x]) => [mean(x!, spatial(x!))],
  GlobalMaxPool: ([x]) => [reduce(x!, spatial(x!), -Infinity, Math.max)],
  GlobalLpPool: ([x], node) => {
    const p = attribute(node, 'p', 'int', 2);
    return [
      map(
        sum(
          map(x!, (v) => Math.abs(v) ** p),
          spatial(x!),
        ),
        (v) => v ** (1 / p),
      ),
    ];
  },
};

/** The activation that ONNX Runtime fuses into a node. */
export function fusedActivation(x: Value, node: Node, [first, second]: readonly number[]): Value {
  switch (attribute(node, 'activation', 'string')) {
    case 'Relu':
      return map(x, (v) => Math.max(v, 0));
    case 'Clip':
      return map(x, (v) => Math.min(Math.max(v, first!), second!));
    case 'LeakyRelu':
      return map(x, (v) => (v < 0 ? first! * v : v));
    default:
      throw new RangeError(`The reference interpreter has no fused ${attribute(node, 'activation', 'string')}.`);
  }
}

function transposedGeometry(node: Node, input: readonly number[], kernel: readonly number[]) {
  const ones = input.map(() => 1);
  const strides = attribute(node, 'strides', 'ints', ones);
  const dilations = attribute(node, 'dilations', 'ints', ones);
  const extra = attribute(
    node,
    'output_padding',
    'ints',
    ones.map(() => 0),
  );
  const full = input.map((side, i) => strides[i]! * (side - 1) + extra[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const autoPad = attribute(node, 'auto_pad', 'string', 'NOTSET');
  let pads = attribute(
    node,
    'pads',
    'ints',
    [...ones, ...ones].map(() => 0),
  );
  const given = node.attributes['output_shape'];
  if (given !== undefined || autoPad.startsWith('SAME')) {
    const wanted =
      given === undefined ? input.map((side, i) => side * strides[i]!) : attribute(node, 'output_shape', 'ints');
    const totals = full.map((side, i) => side - wanted[i]!);
    const halves = totals.map((total) => Math.floor(total / 2));
    const rest = totals.map((total, i) => total - halves[i]!);
    pads = autoPad === 'SAME_UPPER' ? [...halves, ...rest] : [...rest, ...halves];
  }
  const output = full.map((side, i) => side - pads[i]! - pads[i + input.length]!);
  return { strides, dilations, pads, output };
}
