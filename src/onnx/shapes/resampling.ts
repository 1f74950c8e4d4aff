import { attribute, type Dim, type Shape } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { constantNumbers, isPresent, normalizeAxes, requireRank, sidesAt, typeAt, unknownSides } from './inputs.ts';

/** Padding and resampling of images. */

const pad: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape }];
  const pads = constantNumbers(c, 1);
  const given = isPresent(c, 3) ? constantNumbers(c, 3) : [...shape.keys()];
  if (pads === undefined || given === undefined) return [{ dtype, shape: unknownSides(c, shape.length) }];
  const axes = normalizeAxes(given, shape.length);
  if (pads.length !== 2 * axes.length)
    throw new RangeError(`pads must have ${2 * axes.length} entries (starts, then ends), got [${pads}].`);
  const sides = [...shape];
  for (const [i, axis] of axes.entries()) {
    const added = pads[i]! + pads[i + axes.length]!;
    const side = sides[axis]!;
    if (typeof side === 'number' && side + added < 0)
      throw new RangeError(`pads [${pads}] take more than axis ${axis} of [${shape}] has.`);
    sides[axis] = typeof side === 'number' ? side + added : pads[i] === 0 && added === 0 ? side : c.unknownDim();
  }
  return [{ dtype, shape: sides }];
};

/** X, roi, scales, sizes: one of the last two says how large the result is. */
const resize: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  if (shape === undefined) return [{ dtype, shape }];
  const axes = normalizeAxes(attribute(c.node, 'axes', 'ints', [...shape.keys()]), shape.length);
  const bySize = isPresent(c, 3);
  const wanted = bySize ? sidesAt(c, 3) : constantNumbers(c, 2);
  const sides = [...shape];
  if (wanted !== undefined && wanted.length !== axes.length)
    throw new RangeError(`${bySize ? 'sizes' : 'scales'} must have ${axes.length} entries, got [${wanted}].`);
  const policy = attribute(c.node, 'keep_aspect_ratio_policy', 'string', 'stretch');
  for (const [i, axis] of axes.entries()) sides[axis] = resized(sides[axis]!, wanted?.[i], bySize, c);
  if (bySize && policy !== 'stretch') keepAspect(sides, shape, axes, wanted, policy, c);
  return [{ dtype, shape: sides }];
};

function resized(side: Dim, wanted: Dim | undefined, bySize: boolean, c: InferContext): Dim {
  if (wanted === undefined) return c.unknownDim();
  if (bySize) return wanted;
  if (wanted === 1) return side;
  return typeof side === 'number' ? Math.floor(side * (wanted as number)) : c.unknownDim();
}

function keepAspect(
  sides: Dim[],
  shape: Shape,
  axes: readonly number[],
  wanted: Shape | undefined,
  policy: string,
  c: InferContext,
): void {
  const scales = axes.map((axis, i) => Number(wanted?.[i]) / Number(shape[axis]));
  const known = scales.every((scale) => Number.isFinite(scale));
  const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales);
  for (const axis of axes) sides[axis] = known ? roundHalfUp(scale * Number(shape[axis])) : c.unknownDim();
}

function roundHalfUp(value: number): number {
  return Math.floor(value + 0.5);
}

export const resamplingRules: Readonly<Record<string, InferRule>> = {
  Pad: pad,
  Resize: resize,
  CenterCropPad: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    if (shape === undefined) return [{ dtype, shape }];
    const axes = normalizeAxes(attribute(c.node, 'axes', 'ints', [...shape.keys()]), shape.length);
    const wanted = sidesAt(c, 1);
    const sides = [...shape];
    for (const [i, axis] of axes.entries()) sides[axis] = wanted?.[i] ?? c.unknownDim();
    return [{ dtype, shape: sides }];
  },
  GridSample: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    const grid = typeAt(c, 1).shape;
    requireRank(grid, 1, 4, 5);
    if (shape === undefined || grid === undefined) return [{ dtype, shape: undefined }];
    return [{ dtype, shape: [...shape.slice(0, 2), ...grid.slice(1, -1)] }];
  },
  AffineGrid: (c) => {
    const size = sidesAt(c, 1);
    const { dtype } = typeAt(c, 0);
    if (size === undefined) return [{ dtype, shape: undefined }];
    return [{ dtype, shape: [size[0]!, ...size.slice(2), size.length - 2] }];
  },
};
