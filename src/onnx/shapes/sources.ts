import { attribute, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { dataTypeOfCode } from '../data-types.ts';
import { constantNumbers, floatingAt, lengthAt, sidesAt, typeAt, unknownSides } from './inputs.ts';

/** Operators that make tensors from attributes, sizes or nothing, and those that read a tensor's size. */

function declared(c: InferContext, fallback: TensorType['dtype']): TensorType['dtype'] {
  return dataTypeOfCode(attribute(c.node, 'dtype', 'int', 0)) ?? fallback;
}

const random: InferRule = (c) => [{ dtype: declared(c, 'float32'), shape: attribute(c.node, 'shape', 'ints') }];
const randomLike: InferRule = (c) => [{ dtype: declared(c, typeAt(c, 0).dtype), shape: typeAt(c, 0).shape }];

const constantOfShape: InferRule = (c) => {
  const value = c.node.attributes['value'];
  const dtype = value?.kind === 'tensor' ? value.value.dtype : 'float32';
  const sides = sidesAt(c, 0);
  const rank = lengthAt(c, 0);
  return [{ dtype, shape: sides ?? (rank === undefined ? undefined : unknownSides(c, rank)) }];
};

const range: InferRule = (c) => {
  const { dtype } = typeAt(c, 0);
  const [start, limit, delta] = [0, 1, 2].map((i) => constantNumbers(c, i)?.[0]);
  const known = start !== undefined && limit !== undefined && delta !== undefined;
  return [{ dtype, shape: [known ? Math.max(0, Math.ceil((limit - start) / delta)) : c.unknownDim()] }];
};

const constant: InferRule = (c) => {
  const { value } = c.node.attributes;
  if (value?.kind !== 'tensor') throw new TypeError('attribute "value" must be a tensor.');
  return [{ dtype: value.value.dtype, shape: value.value.shape }];
};

const shapeOf: InferRule = (c) => {
  const { shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype: 'int64', shape: [c.unknownDim()] }];
  return [{ dtype: 'int64', shape: [shapeRange(c, shape.length).length] }];
};

/** Which axes `Shape` reports, by its attributes `start` and `end`. */
export function shapeRange(c: Pick<InferContext, 'node'>, rank: number): number[] {
  const clamp = (axis: number): number => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  const start = clamp(attribute(c.node, 'start', 'int', 0));
  const end = clamp(attribute(c.node, 'end', 'int', rank));
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
}

export const sourceRules: Readonly<Record<string, InferRule>> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: randomLike,
  RandomNormal: random,
  RandomUniform: random,
  RandomNormalLike: randomLike,
  RandomUniformLike: randomLike,
  Multinomial: (c) => {
    const code = attribute(c.node, 'dtype', 'int', 6);
    const batch = floatingAt(c, 0).shape?.[0] ?? c.unknownDim();
    return [{ dtype: dataTypeOfCode(code) ?? 'int32', shape: [batch, attribute(c.node, 'sample_size', 'int', 1)] }];
  },
  Range: range,
  Shape: shapeOf,
  Size: () => [{ dtype: 'int64', shape: [] }],
};
