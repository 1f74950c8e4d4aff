import { attribute, type Dim, type Shape } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import {
  constantNumbers,
  isPresent,
  normalizeAxes,
  normalizeAxis,
  requireDtype,
  requireRank,
  requireSameDtype,
  typeAt,
  unknownSides,
} from './inputs.ts';

/** Operators that choose elements by position: gather, slice, scatter, top-k, ... */

const slice: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape }];
  const starts = constantNumbers(c, 1);
  const ends = constantNumbers(c, 2);
  const axes = isPresent(c, 3) ? constantNumbers(c, 3) : undefined;
  const steps = isPresent(c, 4) ? constantNumbers(c, 4) : undefined;
  if (isPresent(c, 3) && axes === undefined) return [{ dtype, shape: unknownSides(c, shape.length) }];
  const count = axes?.length ?? starts?.length ?? ends?.length;
  if (count === undefined) return [{ dtype, shape: unknownSides(c, shape.length) }];
  const normalized = normalizeAxes(axes ?? [...Array(count).keys()], shape.length);
  const known = starts !== undefined && ends !== undefined && !(isPresent(c, 4) && steps === undefined);
  const sides = [...shape];
  for (const [i, axis] of normalized.entries())
    sides[axis] = known ? slicedSide(sides[axis]!, starts[i]!, ends[i]!, steps?.[i] ?? 1, c) : c.unknownDim();
  return [{ dtype, shape: sides }];
};

function slicedSide(side: Dim, start: number, end: number, step: number, c: InferContext): Dim {
  if (step === 0) throw new RangeError('attribute "steps" must not hold 0.');
  if (typeof side === 'string') {
    const whole = step === 1 && start === 0 && end >= 2 ** 31 - 1;
    return whole ? side : c.unknownDim();
  }
  return sliceRange(side, start, end, step).length;
}

/** Where `Slice` begins on an axis of `side` elements and how many it takes. */
export function sliceRange(side: number, start: number, end: number, step: number): { first: number; length: number } {
  const clamp = (value: number, least: number, most: number): number =>
    Math.min(Math.max(value < 0 ? value + side : value, least), most);
  const first = step > 0 ? clamp(start, 0, side) : clamp(start, 0, side - 1);
  const last = step > 0 ? clamp(end, 0, side) : clamp(end, -1, side - 1);
  return { first, length: Math.max(0, Math.ceil((last - first) / step)) };
}

const gather: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireDtype(c, 1, 'int64', 'int32');
  const indices = typeAt(c, 1).shape;
  if (shape === undefined || indices === undefined) return [{ dtype, shape: undefined }];
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', 0), shape.length);
  return [{ dtype, shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)] }];
};

/** data [..batch, ...], indices [..batch, ..., k] -> indices' sides but the last, then data's from batch + k on. */
const gatherND: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const indices = typeAt(c, 1).shape;
  const depth = indices?.at(-1);
  if (shape === undefined || indices === undefined || typeof depth !== 'number') return [{ dtype, shape: undefined }];
  const batch = attribute(c.node, 'batch_dims', 'int', 0);
  if (batch + depth > shape.length)
    throw new RangeError(`indices of ${depth} coordinates after ${batch} batch axes are too many for [${shape}].`);
  return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

/** data, indices, updates -> data. */
const scatter: InferRule = (c) => {
  requireSameDtype(c, 0, 2);
  return [typeAt(c, 0)];
};

const topK: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const k = constantNumbers(c, 1)?.[0];
  if (shape === undefined)
    return [
      { dtype, shape },
      { dtype: 'int64', shape },
    ];
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', -1), shape.length);
  const side = shape[axis]!;
  if (k !== undefined && typeof side === 'number' && k > side)
    throw new RangeError(`K must be at most ${side}, the side of axis ${axis} in [${shape}], got ${k}.`);
  const sides: Shape = shape.with(axis, k ?? c.unknownDim());
  return [
    { dtype, shape: sides },
    { dtype: 'int64', shape: sides },
  ];
};

const oneHot: InferRule = (c) => {
  const { dtype } = typeAt(c, 2);
  const { shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape }];
  const depth = constantNumbers(c, 1)?.[0] ?? c.unknownDim();
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', -1), shape.length + 1);
  return [{ dtype, shape: shape.toSpliced(axis, 0, depth) }];
};

const unique: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const count = c.unknownDim();
  const axis = c.node.attributes['axis'] === undefined ? undefined : attribute(c.node, 'axis', 'int');
  const values = axis === undefined ? [count] : shape?.with(normalizeAxis(axis, shape.length), count);
  return [
    { dtype, shape: values },
    { dtype: 'int64', shape: [count] },
    { dtype: 'int64', shape: [c.unknownDim()] },
    { dtype: 'int64', shape: [count] },
  ];
};

export const indexingRules: Readonly<Record<string, InferRule>> = {
  Slice: slice,
  Gather: gather,
  GatherElements: (c) => [{ dtype: typeAt(c, 0).dtype, shape: typeAt(c, 1).shape }],
  GatherND: gatherND,
  ScatterElements: scatter,
  ScatterND: scatter,
  TensorScatter: (c) => [typeAt(c, 0)],
  TopK: topK,
  OneHot: oneHot,
  Unique: unique,
  NonZero: (c) => {
    const { shape } = typeAt(c, 0);
    const found = constantNumbers(c, 0)?.filter((value) => value !== 0).length;
    const rows = shape === undefined ? c.unknownDim() : Math.max(shape.length, 1);
    return [{ dtype: 'int64', shape: [rows, found ?? c.unknownDim()] }];
  },
  Compress: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    if (c.node.attributes['axis'] === undefined) return [{ dtype, shape: [c.unknownDim()] }];
    const axis = attribute(c.node, 'axis', 'int');
    return [{ dtype, shape: shape?.with(normalizeAxis(axis, shape.length), c.unknownDim()) }];
  },
  NonMaxSuppression: (c) => {
    requireRank(typeAt(c, 0).shape, 0, 3);
    return [{ dtype: 'int64', shape: [c.unknownDim(), 3] }];
  },
};
