import { sizeOf, toNumbers, type Tensor } from '../../core/tensor.ts';
import { attribute } from '../graph.ts';
import { normalizeAxis } from '../shapes/inputs.ts';
import { fromValues, inputAt, numbersAt, shapeAt, stridesOf, take, type Kernel } from './kernel.ts';

/** Operators that make or use positions: ranges, fills, scatters, triangles. */

const constantOfShape: Kernel = (e) => {
  const { value } = e.node.attributes;
  const shape = shapeAt(e);
  const fill: Tensor =
    value?.kind === 'tensor' ? value.value : { dtype: 'float32', shape: [1], data: new Float32Array(1) };
  return [take(fill, new Int32Array(sizeOf(shape)), shape)];
};

const range: Kernel = (e) => {
  const [start, , delta] = [0, 1, 2].map((i) => numbersAt(e, i)[0]!) as [number, number, number];
  const [length] = shapeAt(e) as [number];
  return [
    fromValues(
      e.outputs[0]!.dtype,
      [length],
      Float64Array.from({ length }, (_, i) => start + i * delta),
    ),
  ];
};

/** Coordinates of the elements that are not zero, one row an axis. */
const nonZero: Kernel = (e) => {
  const input = inputAt(e, 0);
  if (input.dtype === 'string') return undefined;
  const strides = stridesOf(input.shape);
  const found = toNumbers(input).flatMap((value, i) => (value === 0 ? [] : [i]));
  const rows =
    input.shape.length === 0
      ? [found]
      : input.shape.map((side, axis) => found.map((i) => Math.floor(i / strides[axis]!) % side));
  return [fromValues('int64', [rows.length, found.length], rows.flat())];
};

const scatterND: Kernel = (e) => {
  const input = inputAt(e, 0);
  const indices = inputAt(e, 1);
  const updates = inputAt(e, 2);
  if (attribute(e.node, 'reduction', 'string', 'none') !== 'none' || input.dtype === 'string') return undefined;
  const depth = indices.shape.at(-1)!;
  const strides = stridesOf(input.shape);
  const inner = sizeOf(input.shape.slice(depth));
  const positions = toNumbers(indices);
  const result = take(input, Int32Array.from(input.data.keys()), input.shape);
  for (let row = 0; row < positions.length / depth; row++) {
    let base = 0;
    for (let axis = 0; axis < depth; axis++) {
      const index = positions[row * depth + axis]!;
      base += (index < 0 ? index + input.shape[axis]! : index) * strides[axis]!;
    }
    for (let i = 0; i < inner; i++)
      (result.data as Float32Array)[base + i] = (updates.data as Float32Array)[row * inner + i]!;
  }
  return [result];
};

/** The upper (default) or lower triangle of each matrix; the rest zero. */
const trilu: Kernel = (e) => {
  const input = inputAt(e, 0);
  if (input.dtype === 'float16' || input.dtype === 'bfloat16' || input.dtype === 'string') return undefined;
  const k = numbersAt(e, 1, [0])[0]!;
  const upper = attribute(e.node, 'upper', 'int', 1) === 1;
  const [rows, columns] = input.shape.slice(-2) as [number, number];
  const values = toNumbers(input).map((value, i) => {
    const distance = (i % columns) - (Math.floor(i / columns) % rows);
    return (upper ? distance >= k : distance <= k) ? value : 0;
  });
  return [fromValues(input.dtype, input.shape, values)];
};

const oneHot: Kernel = (e) => {
  const shape = shapeAt(e);
  const axis = normalizeAxis(attribute(e.node, 'axis', 'int', -1), shape.length);
  const depth = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const hot = numbersAt(e, 0).map((index) => (index < 0 ? index + depth : index));
  const places = Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const outer = Math.floor(i / (depth * inner));
    return hot[outer * inner + (i % inner)] === Math.floor(i / inner) % depth ? 1 : 0;
  });
  return [take(inputAt(e, 2), places, shape)];
};

export const positionKernels: Readonly<Record<string, Kernel>> = {
  ConstantOfShape: constantOfShape,
  NonZero: nonZero,
  OneHot: oneHot,
  Range: range,
  ScatterND: scatterND,
  Trilu: trilu,
};
