import { allocate, sizeOf, type Tensor } from '../../core/tensor.ts';
import { attribute } from '../graph.ts';
import { sliceRange } from '../shapes/indexing.ts';
import { normalizeAxis } from '../shapes/inputs.ts';
import { broadcastIndices, inputAt, numbersAt, shapeAt, stridesOf, take, walk, type Kernel } from './kernel.ts';

/** Operators that move elements about: every one is a list of source positions, exact for every type. */

const reshape: Kernel = (e) => [{ ...inputAt(e, 0), shape: shapeAt(e) }];

const transpose: Kernel = (e) => {
  const input = inputAt(e, 0);
  const order = attribute(e.node, 'perm', 'ints', [...input.shape.keys()].toReversed());
  const strides = stridesOf(input.shape);
  const shape = shapeAt(e);
  return [
    take(
      input,
      walk(
        shape,
        order.map((axis) => strides[axis]!),
      ),
      shape,
    ),
  ];
};

const expand: Kernel = (e) => [take(inputAt(e, 0), broadcastIndices(inputAt(e, 0).shape, shapeAt(e)), shapeAt(e))];

const tile: Kernel = (e) => {
  const input = inputAt(e, 0);
  const shape = shapeAt(e);
  const from = stridesOf(input.shape);
  const to = stridesOf(shape);
  const indices = Int32Array.from({ length: sizeOf(shape) }, (_, i) =>
    shape.reduce((sum, side, axis) => sum + ((Math.floor(i / to[axis]!) % side) % input.shape[axis]!) * from[axis]!, 0),
  );
  return [take(input, indices, shape)];
};

const slice: Kernel = (e) => {
  const input = inputAt(e, 0);
  const shape = shapeAt(e);
  const strides = stridesOf(input.shape);
  const steps = [...strides];
  const starts = numbersAt(e, 1);
  const ends = numbersAt(e, 2);
  const axes = numbersAt(e, 3, [...starts.keys()]);
  const by = numbersAt(
    e,
    4,
    starts.map(() => 1),
  );
  let offset = 0;
  for (const [i, given] of axes.entries()) {
    const axis = normalizeAxis(given, input.shape.length);
    offset += sliceRange(input.shape[axis]!, starts[i]!, ends[i]!, by[i]!).first * strides[axis]!;
    steps[axis] = strides[axis]! * by[i]!;
  }
  return [take(input, walk(shape, steps, offset), shape)];
};

const split: Kernel = (e) => {
  const input = inputAt(e, 0);
  const axis = normalizeAxis(attribute(e.node, 'axis', 'int', 0), input.shape.length);
  const strides = stridesOf(input.shape);
  let first = 0;
  return e.outputs.map((_, i) => {
    const shape = shapeAt(e, i);
    const part = take(input, walk(shape, strides, first * strides[axis]!), shape);
    first += shape[axis]!;
    return part;
  });
};

const concat: Kernel = (e) => {
  const shape = shapeAt(e);
  const axis = normalizeAxis(attribute(e.node, 'axis', 'int'), shape.length);
  const parts = e.inputs as readonly Tensor[];
  if (parts[0]!.dtype === 'string') return undefined;
  const { dtype } = parts[0]!;
  const data = allocate(dtype, sizeOf(shape)) as Float32Array;
  const strides = stridesOf(shape);
  let first = 0;
  for (const part of parts) {
    const places = walk(part.shape, strides, first * strides[axis]!);
    for (const [i, place] of places.entries()) data[place] = (part.data as Float32Array)[i]!;
    first += part.shape[axis]!;
  }
  return [{ dtype, shape, data }];
};

/** Each index names a slice along `axis`; a negative one counts from the end. */
const gather: Kernel = (e) => {
  const input = inputAt(e, 0);
  const axis = normalizeAxis(attribute(e.node, 'axis', 'int', 0), input.shape.length);
  const side = input.shape[axis]!;
  const indices = numbersAt(e, 1).map((index) => (index < 0 ? index + side : index));
  if (indices.some((index) => index < 0 || index >= side)) return undefined;
  const inner = sizeOf(input.shape.slice(axis + 1));
  const outer = sizeOf(input.shape.slice(0, axis));
  const places = new Int32Array(outer * indices.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const index of indices) for (let i = 0; i < inner; i++) places[at++] = (o * side + index) * inner + i;
  return [take(input, places, shapeAt(e))];
};

const pad: Kernel = (e) => {
  const input = inputAt(e, 0);
  if (attribute(e.node, 'mode', 'string', 'constant') !== 'constant' || input.dtype === 'string') return undefined;
  const shape = shapeAt(e);
  const axes = numbersAt(e, 3, [...shape.keys()]).map((axis) => normalizeAxis(axis, shape.length));
  const pads = numbersAt(e, 1);
  const begin = shape.map((_, axis) => (axes.includes(axis) ? pads[axes.indexOf(axis)]! : 0));
  const fill = e.inputs[2];
  const from = stridesOf(input.shape);
  const to = stridesOf(shape);
  const data = allocate(input.dtype, sizeOf(shape)) as Float32Array;
  const blank = (fill?.data[0] ?? allocate(input.dtype, 1)[0]) as number;
  for (let i = 0; i < data.length; i++) {
    const at = shape.map((side, axis) => (Math.floor(i / to[axis]!) % side) - begin[axis]!);
    const inside = at.every((x, axis) => x >= 0 && x < input.shape[axis]!);
    const place = at.reduce((sum, x, axis) => sum + x * from[axis]!, 0);
    data[i] = inside ? (input.data as Float32Array)[place]! : blank;
  }
  return [{ dtype: input.dtype, shape, data }];
};

export const movementKernels: Readonly<Record<string, Kernel>> = {
  Concat: concat,
  Expand: expand,
  Flatten: reshape,
  Gather: gather,
  Identity: (e) => [inputAt(e, 0)],
  Pad: pad,
  Reshape: reshape,
  Slice: slice,
  Split: split,
  Squeeze: reshape,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: reshape,
};
