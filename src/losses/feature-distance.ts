import { sizeOf } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { toCommonSize } from './adaptive-average-pool.ts';
import { featureShapes } from './features.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { constantLike } from './targets.ts';
import { unitVectors } from './unit-vectors.ts';

export interface FeatureDistanceOptions {
  /**
   * Value that takes the student's features to the teacher's width: a matrix [D, D'] for embeddings, the weight
   * [C', C, 1, 1] of a convolution for maps. A parameter to be trained with the student. Default: none, of equal widths.
   */
  readonly projection?: string;
  /**
   * `squared`: the mean of the squared differences. `cosine`: 1 less the cosine of the angle between student's and teacher's
   * features, 0 to 2, at each position of a map. Default `squared`.
   */
  readonly distance?: 'squared' | 'cosine';
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * The distance of a student's features, projected, from a teacher's: the hint of FitNets, Romero et al. 2015
 * (arXiv:1412.6550), eq. 3. Deviations: the mean over a sample's features in place of half their sum, so that the loss is of
 * one size whatever the width; the projection (their regressor) is linear and has no bias. The cosine distance is half the
 * squared distance of the features made of length 1; features that are all 0 have a distance of 1, and no gradient.
 * @param student value [N, D] or [N, C, H, W]
 * @param teacher value [N, D'] or [N, C', H', W']; where sizes differ, the larger map is averaged down to the smaller one
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError where shapes do not fit.
 * @example
 * const projection = builder.initializer('projection', initialise('projection', [320, 1280], lecun, seed));
 * const loss = featureDistance(builder, 'embedding', 'teacher', { projection, distance: 'cosine' });
 */
export function featureDistance(
  b: GraphBuilder,
  student: string,
  teacher: string,
  options: FeatureDistanceOptions = {},
): string {
  const { distance = 'squared', reduction = 'mean' } = options;
  const shapes = featureShapes(b, student, teacher, [2, 4]);
  const [s, t] = shapes[0].length === 4 ? toCommonSize(b, student, teacher) : [student, teacher];
  const projected = project(b, s, options.projection, shapes);
  const losses = distance === 'cosine' ? cosineDistance(b, projected, t) : meanSquare(b, b.op('Sub', [projected, t]));
  return reduceLosses(b, losses, reduction, options.sampleWeights, undefined);
}

/** [N] of [N, ...] */
function meanSquare(b: GraphBuilder, x: string): string {
  const [, ...sides] = b.shape(x);
  const squares = b.op('ReduceSumSquare', [x, b.int(sides.map((_, i) => i + 1))], { keepdims: 0 });
  return b.op('Mul', [squares, constantLike(b, x, 1 / sizeOf(sides))]);
}

/** [N] of two [N, D] or [N, C, H, W] */
function cosineDistance(b: GraphBuilder, x: string, y: string): string {
  const [, , ...size] = b.shape(x);
  const products = b.op('Mul', [unitVectors(b, x, 1), unitVectors(b, y, 1)]);
  const sum = b.op('ReduceSum', [products, b.int([1, ...size.map((_, i) => i + 2)])], { keepdims: 0 });
  return b.op('Sub', [constantLike(b, x, 1), b.op('Mul', [sum, constantLike(b, x, 1 / sizeOf(size))])]);
}

function project(
  b: GraphBuilder,
  features: string,
  projection: string | undefined,
  [[, from, ...size], [, to]]: readonly [number[], number[]],
): string {
  if (projection === undefined) {
    if (from !== to)
      throw new TypeError(`Features of widths ${from} (student) and ${to} (teacher) need a projection, got none.`);
    return features;
  }
  const shape = size.length === 0 ? [from, to] : [to, from, 1, 1];
  if (String(b.shape(projection)) !== String(shape))
    throw new TypeError(
      `The projection of features of width ${from} (student) to ${to} (teacher) must have shape [${shape}], ` +
        `got [${b.shape(projection)}].`,
    );
  return b.op(size.length === 0 ? 'MatMul' : 'Conv', [features, projection]);
}
