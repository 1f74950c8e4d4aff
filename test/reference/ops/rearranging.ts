import { attribute } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import {
  broadcast,
  broadcastShape,
  integers,
  make,
  places,
  reshaped,
  stridesOf,
  transposed,
  wrapAxis,
  type Value,
} from '../value.ts';
import { fromTensor } from '../value.ts';
import { tensor } from '../../../src/core/tensor.ts';

const int64 = (values: readonly number[], shape: readonly number[] = [values.length]): Value =>
  make({ dtype: 'int64' }, shape, Float64Array.from(values));

export const rearranging: Readonly<Record<string, Kernel>> = {
  Shape: ([x], node) => {
    const rank = x!.shape.length;
    const start = wrapAxis(attribute(node, 'start', 'int', 0), rank);
    return [int64(x!.shape.slice(start, wrapAxis(attribute(node, 'end', 'int', rank), rank)))];
  },
  Size: ([x]) => [int64([x!.data.length], [])],
  Reshape: ([x, shape], node) => {
    const sides = integers(shape!).map((side, axis) =>
      side === 0 && attribute(node, 'allowzero', 'int', 0) === 0 ? x!.shape[axis]! : side,
    );
    const known = sides.reduce((product, side) => (side === -1 ? product : product * side), 1);
    return [
      reshaped(
        x!,
        sides.map((side) => (side === -1 ? x!.data.length / known : side)),
      ),
    ];
  },
  Flatten: ([x], node) => {
    const axis = wrapAxis(attribute(node, 'axis', 'int', 1), x!.shape.length);
    const rows = x!.shape.slice(0, axis).reduce((product, side) => product * side, 1);
    return [reshaped(x!, [rows, x!.data.length / rows])];
  },
  Squeeze: ([x, axes]) => {
    const gone = axes === undefined ? undefined : integers(axes).map((axis) => wrapAxis(axis, x!.shape.length));
    return [
      reshaped(
        x!,
        x!.shape.filter((side, axis) => (gone === undefined ? side !== 1 : !gone.includes(axis))),
      ),
    ];
  },
  Unsqueeze: ([x, axes]) => {
    const rank = x!.shape.length + axes!.data.length;
    const shape = [...x!.shape];
    for (const axis of integers(axes!)
      .map((a) => wrapAxis(a, rank))
      .toSorted((a, b) => a - b))
      shape.splice(axis, 0, 1);
    return [reshaped(x!, shape)];
  },
  Transpose: ([x], node) => {
    const rank = x!.shape.length;
    return [
      transposed(
        x!,
        attribute(
          node,
          'perm',
          'ints',
          Array.from({ length: rank }, (_, i) => rank - 1 - i),
        ),
      ),
    ];
  },
  Expand: ([x, shape]) => [broadcast(x!, broadcastShape(x!.shape, integers(shape!)))],
  Tile: ([x, repeats]) => {
    const shape = x!.shape.map((side, axis) => side * repeats!.data[axis]!);
    const strides = stridesOf(x!.shape);
    return [gathered(x!, shape, (index, axis) => (index % x!.shape[axis]!) * strides[axis]!)];
  },
  Concat: (inputs, node) => {
    const values = inputs as Value[];
    const axis = wrapAxis(attribute(node, 'axis', 'int'), values[0]!.shape.length);
    const shape = values[0]!.shape.map((side, i) =>
      i === axis ? values.reduce((total, value) => total + value.shape[axis]!, 0) : side,
    );
    const result = make(values[0]!, shape);
    const strides = stridesOf(shape);
    let offset = 0;
    for (const value of values) {
      for (const [i, place] of places(value.shape, strides, offset * strides[axis]!).entries())
        result.data[place] = value.data[i]!;
      offset += value.shape[axis]!;
    }
    return [result];
  },
  Split: ([x, split], node) => {
    const axis = wrapAxis(attribute(node, 'axis', 'int', 0), x!.shape.length);
    const side = x!.shape[axis]!;
    const count = attribute(node, 'num_outputs', 'int', node.outputs.length);
    const chunk = Math.ceil(side / count);
    const sides = split ? integers(split) : Array.from({ length: count }, (_, i) => Math.min(chunk, side - i * chunk));
    let offset = 0;
    return sides.map((length) => {
      const start = offset;
      offset += length;
      return sliced(x!, axis, start, 1, length);
    });
  },
  Slice: ([x, starts, ends, axes, steps]) => {
    let value = x!;
    for (const [i, first] of integers(starts!).entries()) {
      const axis = wrapAxis(axes?.data[i] ?? i, x!.shape.length);
      const step = steps?.data[i] ?? 1;
      const side = x!.shape[axis]!;
      const clamp = (place: number, low: number, high: number): number => {
        const inside = place < 0 ? place + side : place;
        return Math.min(Math.max(inside, low), high);
      };
      const start = step > 0 ? clamp(first, 0, side) : clamp(first, 0, side - 1);
      const end = step > 0 ? clamp(ends!.data[i]!, 0, side) : clamp(ends!.data[i]!, -1, side - 1);
      value = sliced(value, axis, start, step, Math.max(0, Math.ceil((end - start) / step)));
    }
    return [value];
  },
  Pad: ([x, pads, constant, axes], node) => [
    padded(
      x!,
      integers(pads!),
      axes && integers(axes),
      attribute(node, 'mode', 'string', 'constant'),
      constant?.data[0] ?? 0,
    ),
  ],
  DepthToSpace: ([x], node) => {
    const b = attribute(node, 'blocksize', 'int');
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const out = c / (b * b);
    const dcr = attribute(node, 'mode', 'string', 'DCR') === 'DCR';
    const split = reshaped(x!, dcr ? [n, b, b, out, h, w] : [n, out, b, b, h, w]);
    return [reshaped(transposed(split, dcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]), [n, out, h * b, w * b])];
  },
  SpaceToDepth: ([x], node) => {
    const b = attribute(node, 'blocksize', 'int');
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const split = reshaped(x!, [n, c, h / b, b, w / b, b]);
    return [reshaped(transposed(split, [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b])];
  },
  Trilu: ([x, k], node) => {
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    const upper = attribute(node, 'upper', 'int', 1) === 1;
    const shift = k?.data[0] ?? 0;
    return [
      {
        ...x!,
        data: x!.data.map((v, i) => {
          const distance = (i % columns) - (Math.floor(i / columns) % rows);
          return (upper ? distance >= shift : distance <= shift) ? v : 0;
        }),
      },
    ];
  },
  ReverseSequence: ([x, lengths], node) => {
    const batch = attribute(node, 'batch_axis', 'int', 1);
    const time = attribute(node, 'time_axis', 'int', 0);
    const strides = stridesOf(x!.shape);
    const result = make(x!, x!.shape);
    for (let i = 0; i < x!.data.length; i++) {
      const at = Math.floor(i / strides[time]!) % x!.shape[time]!;
      const length = lengths!.data[Math.floor(i / strides[batch]!) % x!.shape[batch]!]!;
      result.data[i] = x!.data[at < length ? i + (length - 1 - 2 * at) * strides[time]! : i]!;
    }
    return [result];
  },
  CenterCropPad: ([x, target], node) => {
    let value = x!;
    const axes = attribute(
      node,
      'axes',
      'ints',
      x!.shape.map((_, axis) => axis),
    );
    for (const [i, axis] of axes.map((a) => wrapAxis(a, x!.shape.length)).entries()) {
      const [side, want] = [x!.shape[axis]!, target!.data[i]!];
      if (side >= want) value = sliced(value, axis, Math.floor((side - want) / 2), 1, want);
      else {
        const before = Math.floor((want - side) / 2);
        value = padded(value, [before, want - side - before], [axis], 'constant', 0);
      }
    }
    return [value];
  },
  ConstantOfShape: ([shape], node) => {
    const value = fromTensor(attribute(node, 'value', 'tensor', tensor('float32', [1], new Float32Array(1))));
    const result = make(value, integers(shape!));
    result.data.fill(value.data[0]!);
    return [result];
  },
  Range: ([start, limit, delta]) => {
    const count = Math.max(0, Math.ceil((limit!.data[0]! - start!.data[0]!) / delta!.data[0]!));
    return [
      make(
        start!,
        [count],
        Float64Array.from({ length: count }, (_, i) => start!.data[0]! + i * delta!.data[0]!),
      ),
    ];
  },
};

/** A tensor of `shape` whose element at an index comes from the sum over axes of `place(index, axis)`. */
function gathered(x: Value, shape: readonly number[], place: (index: number, axis: number) => number): Value {
  let from = Int32Array.of(0);
  for (const [axis, side] of shape.entries()) {
    const next = new Int32Array(from.length * side);
    let at = 0;
    for (const base of from) for (let i = 0; i < side; i++) next[at++] = base + place(i, axis);
    from = next;
  }
  return make(
    x,
    shape,
    Float64Array.from(from, (p) => x.data[p]!),
  );
}

function sliced(x: Value, axis: number, start: number, step: number, count: number): Value {
  const strides = stridesOf(x.shape);
  const shape = x.shape.map((side, i) => (i === axis ? count : side));
  return gathered(x, shape, (index, i) => (i === axis ? start + index * step : index) * strides[i]!);
}

/** Any pad may be negative (a cut). */
function padded(
  x: Value,
  pads: readonly number[],
  axes: readonly number[] | undefined,
  mode: string,
  fill: number,
): Value {
  const rank = x.shape.length;
  const at = axes?.map((axis) => wrapAxis(axis, rank)) ?? x.shape.map((_, axis) => axis);
  const before = x.shape.map((_, axis) => pads[at.indexOf(axis)] ?? 0);
  const after = x.shape.map((_, axis) => (at.includes(axis) ? pads[at.length + at.indexOf(axis)]! : 0));
  const shape = x.shape.map((side, axis) => side + before[axis]! + after[axis]!);
  const strides = stridesOf(x.shape);
  const outside = -(2 ** 30);
  // The sum over axes stays negative where any axis is outside: its share is far below every place.
  let from = Float64Array.of(0);
  for (const [axis, side] of shape.entries()) {
    const next = new Float64Array(from.length * side);
    let k = 0;
    for (const base of from)
      for (let i = 0; i < side; i++) {
        const source = sourceIndex(i - before[axis]!, x.shape[axis]!, mode);
        next[k++] = source === undefined ? outside * 64 : base + source * strides[axis]!;
      }
    from = next;
  }
  return make(
    x,
    shape,
    from.map((place) => (place < 0 ? fill : x.data[place]!)),
  );
}

function sourceIndex(i: number, side: number, mode: string): number | undefined {
  if (i >= 0 && i < side) return i;
  if (mode === 'constant') return undefined;
  if (mode === 'edge') return i < 0 ? 0 : side - 1;
  if (mode === 'wrap') return ((i % side) + side) % side;
  let place = i;
  while (place < 0 || place >= side) place = place < 0 ? -place : 2 * (side - 1) - place;
  return place;
}
