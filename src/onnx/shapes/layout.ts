import { sizeOf } from '../../core/tensor.ts';
import { attribute, type Dim, type Shape } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { mapSide, productOf, quotientOf, sameSide } from './dimensions.ts';
import {
  constantNumbers,
  isPresent,
  lengthAt,
  normalizeAxes,
  normalizeAxis,
  requireDtype,
  requireRank,
  requireSameDtype,
  sidesAt,
  typeAt,
  unknownSides,
} from './inputs.ts';

/** Operators that move elements about without choosing among them: reshape, transpose, concat, split, ... */

const reshape: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireDtype(c, 1, 'int64');
  const target = sidesAt(c, 1);
  if (target === undefined) {
    const rank = lengthAt(c, 1);
    return [{ dtype, shape: rank === undefined ? undefined : unknownSides(c, rank) }];
  }
  const allowZero = attribute(c.node, 'allowzero', 'int', 0) === 1;
  return [{ dtype, shape: reshaped(shape, target, allowZero, c) }];
};

function reshaped(shape: Shape | undefined, target: Shape, allowZero: boolean, c: InferContext): Shape {
  const sides = target.map((side, i) => {
    if (side !== 0 || allowZero) return side;
    if (shape === undefined) return c.unknownDim();
    if (i >= shape.length) throw new RangeError(`target [${target}] copies side ${i}, which input [${shape}] lacks.`);
    return shape[i]!;
  });
  const open = sides.indexOf(-1);
  if (sides.some((side, i) => typeof side === 'number' && side < 0 && i !== open))
    throw new RangeError(`target [${target}] may hold one -1 and no other negative side.`);
  if (open < 0) {
    if (shape !== undefined) checkSameSize(shape, sides);
    return sides;
  }
  if (shape === undefined) return sides.with(open, c.unknownDim());
  const rest = sides.filter((_, i) => i !== open);
  try {
    return sides.with(
      open,
      quotientOf(shape, rest, () => c.unknownDim()),
    );
  } catch {
    throw new RangeError(`[${shape}] can not be reshaped to [${target}].`);
  }
}

function checkSameSize(shape: Shape, target: Shape): void {
  if (shape.some((side) => typeof side === 'string') || target.some((side) => typeof side === 'string')) return;
  if (sizeOf(shape as number[]) !== sizeOf(target as number[]))
    throw new RangeError(`[${shape}] can not be reshaped to [${target}].`);
}

const flatten: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape: unknownSides(c, 2) }];
  const given = attribute(c.node, 'axis', 'int', 1);
  const axis = given === shape.length ? given : normalizeAxis(given, Math.max(shape.length, 1));
  const product = (sides: Shape): Dim => productOf(sides, () => c.unknownDim());
  return [{ dtype, shape: [product(shape.slice(0, axis)), product(shape.slice(axis))] }];
};

const transpose: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape }];
  const permutation = attribute(c.node, 'perm', 'ints', [...shape.keys()].toReversed());
  if (permutation.length !== shape.length || permutation.toSorted((a, b) => a - b).some((axis, i) => axis !== i))
    throw new RangeError(`attribute "perm" must order the ${shape.length} axes of [${shape}], got [${permutation}].`);
  return [{ dtype, shape: permutation.map((axis) => shape[axis]!) }];
};

const squeeze: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const given = isPresent(c, 1) ? constantNumbers(c, 1) : undefined;
  if (shape === undefined || (isPresent(c, 1) && given === undefined)) return [{ dtype, shape: undefined }];
  if (given === undefined) {
    // Without axes every side of 1 goes: that needs to be known of every side.
    const known = shape.every((side) => typeof side === 'number');
    return [{ dtype, shape: known ? shape.filter((side) => side !== 1) : undefined }];
  }
  const axes = normalizeAxes(given, shape.length);
  for (const axis of axes)
    if (typeof shape[axis] === 'number' && shape[axis] !== 1)
      throw new RangeError(`axis ${axis} of [${shape}] is squeezed and must be 1.`);
  return [{ dtype, shape: shape.filter((_, i) => !axes.includes(i)) }];
};

const unsqueeze: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const given = constantNumbers(c, 1);
  if (shape === undefined || given === undefined) {
    const added = given?.length ?? lengthAt(c, 1);
    const rank = shape === undefined || added === undefined ? undefined : shape.length + added;
    return [{ dtype, shape: rank === undefined ? undefined : unknownSides(c, rank) }];
  }
  const rank = shape.length + given.length;
  const axes = normalizeAxes(given, rank);
  const rest = [...shape];
  return [{ dtype, shape: Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)) }];
};

const concat: InferRule = (c) => {
  const dtype = requireSameDtype(c, ...c.node.inputs.keys());
  const shapes = c.node.inputs.map((_, i) => typeAt(c, i).shape);
  const first = shapes.find((shape) => shape !== undefined);
  if (first === undefined) return [{ dtype, shape: undefined }];
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int'), first.length);
  for (const [i, shape] of shapes.entries()) requireRank(shape, i, first.length);
  const known = shapes.filter((shape) => shape !== undefined);
  const sides = first.map((_, i) =>
    i === axis
      ? shapes.includes(undefined)
        ? c.unknownDim()
        : sumOf(
            known.map((shape) => shape[axis]!),
            c,
          )
      : known.map((shape) => shape[i]!).reduce((a, b) => sameSide(a, b, `sides ${i} of concatenated inputs`)),
  );
  return [{ dtype, shape: sides }];
};

function sumOf(sides: Shape, c: InferContext): Dim {
  if (sides.length === 1) return sides[0]!;
  return sides.every((side) => typeof side === 'number')
    ? (sides as readonly number[]).reduce((sum, side) => sum + side, 0)
    : c.unknownDim();
}

const split: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const count = c.node.outputs.length;
  if (shape === undefined) return c.node.outputs.map(() => ({ dtype, shape }));
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', 0), shape.length);
  const side = shape[axis]!;
  return partSizes(c, side, count).map((part) => ({ dtype, shape: shape.with(axis, part) }));
};

function partSizes(c: InferContext, side: Dim, count: number): Dim[] {
  if (isPresent(c, 1)) {
    const parts = constantNumbers(c, 1);
    if (parts === undefined) return unknownSides(c, count);
    const sum = parts.reduce((a, b) => a + b, 0);
    if (parts.length !== count) throw new RangeError(`${parts.length} part sizes [${parts}] for ${count} outputs.`);
    if (typeof side === 'number' && sum !== side) throw new RangeError(`part sizes [${parts}] must add up to ${side}.`);
    return parts;
  }
  const declared = attribute(c.node, 'num_outputs', 'int', count);
  if (declared !== count)
    throw new RangeError(`attribute "num_outputs" is ${declared}, the node has ${count} outputs.`);
  if (typeof side !== 'number') return unknownSides(c, count);
  // Equal parts, the last one smaller where the side does not divide.
  const part = Math.ceil(side / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(part, side - i * part)));
}

const expand: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const target = sidesAt(c, 1);
  const rank = target?.length ?? lengthAt(c, 1);
  if (shape === undefined || rank === undefined) return [{ dtype, shape: undefined }];
  const most = Math.max(rank, shape.length);
  if (target === undefined) return [{ dtype, shape: unknownSides(c, most) }];
  const sides = Array.from({ length: most }, (_, i) => {
    const from = shape[i - most + shape.length] ?? 1;
    const to = target[i - most + target.length] ?? 1;
    if (from === to || to === 1) return from;
    if (from === 1) return to;
    if (typeof from === 'number' && typeof to === 'number')
      throw new RangeError(`[${shape}] can not be expanded to [${target}].`);
    return typeof from === 'number' ? from : to;
  });
  return [{ dtype, shape: sides }];
};

const tile: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const repeats = constantNumbers(c, 1);
  if (shape === undefined) return [{ dtype, shape }];
  if (repeats === undefined) return [{ dtype, shape: unknownSides(c, shape.length) }];
  if (repeats.length !== shape.length)
    throw new RangeError(`[${shape}] needs ${shape.length} repeats, got [${repeats}].`);
  const sides = shape.map((side, i) => (repeats[i] === 1 ? side : mapSide(side, (value) => value * repeats[i]!, c)));
  return [{ dtype, shape: sides }];
};

/** [N, C * b * b, H, W] -> [N, C, H * b, W * b]. */
const depthToSpace: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 4);
  const block = attribute(c.node, 'blocksize', 'int');
  if (shape === undefined) return [{ dtype, shape }];
  const [n, channels, h, w] = shape as readonly [Dim, Dim, Dim, Dim];
  if (typeof channels === 'number' && channels % (block * block) !== 0)
    throw new RangeError(`${channels} channels do not divide by blocksize ${block} squared.`);
  const grown = (side: Dim): Dim => mapSide(side, (value) => value * block, c);
  return [{ dtype, shape: [n, mapSide(channels, (side) => side / (block * block), c), grown(h), grown(w)] }];
};

const spaceToDepth: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 4);
  const block = attribute(c.node, 'blocksize', 'int');
  if (shape === undefined) return [{ dtype, shape }];
  const [n, channels, h, w] = shape as readonly [Dim, Dim, Dim, Dim];
  const shrunk = (side: Dim): Dim => mapSide(side, (value) => value / block, c);
  return [{ dtype, shape: [n, mapSide(channels, (side) => side * block * block, c), shrunk(h), shrunk(w)] }];
};

export const layoutRules: Readonly<Record<string, InferRule>> = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  ReverseSequence: (c) => [typeAt(c, 0)],
};
