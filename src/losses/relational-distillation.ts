import type { GraphBuilder } from '../onnx/builder.ts';
import { diagonal } from './diagonal.ts';
import { featureShapes } from './features.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { constantLike } from './targets.ts';
import { reciprocalLength } from './unit-vectors.ts';
import { weightedTerms } from './weighted-terms.ts';

export interface RelationalDistillationOptions {
  /** What the distances between pairs count for. Default 25. */
  readonly distance?: number;
  /** What the angles of triples count for. Default 50. */
  readonly angle?: number;
  /** Value of shape [N]: what each sample counts for, as the first of a pair and the corner of an angle. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Relational knowledge distillation: distances and angles between the embeddings of a batch, in place of the embeddings, which
 * may then differ in width. Park et al. 2019 (arXiv:1904.05068), section 3.2: with d_ij = |e_i - e_j| over the mean of all
 * pairs, and a_ijk the cosine of the angle at i between j and k, a sample's loss is `distance` times the mean over j of
 * h(d_ij of the student - of the teacher) plus `angle` times the mean over j and k of h(a_ijk of the student - of the
 * teacher), h being Huber's loss with delta 1. These means count a sample's pairs with itself, which are 0, as the authors'
 * code does, and the defaults are theirs.
 *
 * It is a loss of the batch: what a step's batch is divided into changes it. All is computed from the products of embeddings,
 * less their mean, so that it holds N³ numbers at most, where the authors hold N² D. Embeddings that nearly coincide, by
 * `COINCIDING`, have a distance of 0, angles of cosine 0 and no gradient, where the authors' code holds distances off zero.
 * @param student value [N, D], N of at least 2
 * @param teacher value [N, D']
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const loss = relationalDistillation(builder, 'embedding', builder.input('teacher', 'float32', [8, 1280]));
 */
export function relationalDistillation(
  b: GraphBuilder,
  student: string,
  teacher: string,
  options: RelationalDistillationOptions = {},
): string {
  const { distance = 25, angle = 50, reduction = 'mean' } = options;
  const [[n]] = featureShapes(b, student, teacher, [2]);
  if (n! < 2) throw new TypeError(`Relations are between the samples of a batch: it needs at least 2, got ${n}.`);
  const [s, t] = [relations(b, student), relations(b, teacher)];
  const mean = (x: string, y: string, axes: readonly number[]): string =>
    b.op('ReduceMean', [huber(b, b.op('Sub', [x, y])), b.int(axes)], { keepdims: 0 });
  const losses = weightedTerms(b, student, {
    distance: { weight: distance, value: () => mean(s.distances(), t.distances(), [1]) },
    angle: { weight: angle, value: () => mean(s.angles(), t.angles(), [1, 2]) },
  });
  return reduceLosses(b, losses, reduction, options.sampleWeights, undefined);
}

/**
 * Embeddings whose squared distance is below this share of the mean squared distance from the batch's mean count as one:
 * float32 does not tell theirs from 0.
 */
const COINCIDING = 1e-6;

/** Of embeddings [N, D]: distances over their mean [N, N], and the cosines of all angles [N, N, N], the corner first. */
function relations(b: GraphBuilder, embeddings: string): { distances: () => string; angles: () => string } {
  const [n] = b.shape(embeddings) as [number];
  const constant = (value: number): string => constantLike(b, embeddings, value);
  const centred = b.op('Sub', [embeddings, b.op('ReduceMean', [embeddings, b.int([0])], { keepdims: 1 })]);
  const products = b.op('MatMul', [centred, b.op('Transpose', [centred], { perm: [1, 0] })]);
  const across = (value: string, ...axes: readonly number[]): string => b.op('Unsqueeze', [value, b.int(axes)]);
  const own = diagonal(b, products);
  // |x - y|² = x·x + y·y - 2 x·y
  const squares = b.op('Sub', [b.op('Add', [across(own, 1), across(own, 0)]), b.op('Mul', [products, constant(2)])]);
  const least = b.op('Mul', [b.op('ReduceMean', [own], { keepdims: 0 }), constant(COINCIDING)]);
  const apart = b.op('CastLike', [b.op('Greater', [squares, least]), embeddings]);
  // 1 where they coincide: its root has a finite slope, which `apart` then takes away.
  const safe = b.op('Add', [b.op('Mul', [squares, apart]), b.op('Sub', [constant(1), apart])]);
  const roots = b.op('Sqrt', [safe]);
  return {
    distances: () => {
      const lengths = b.op('Mul', [roots, apart]);
      const mean = b.op('Mul', [b.op('ReduceSum', [lengths], { keepdims: 0 }), constant(1 / (n * (n - 1)))]);
      return b.op('Mul', [lengths, reciprocalLength(b, mean)]);
    },
    angles: () => {
      // (y - x)·(z - x) = y·z - x·y - x·z + x·x for x, y, z along the axes
      const [xy, xz] = [across(products, 2), across(products, 1)];
      const left = b.op('Sub', [across(products, 0), xy]);
      const dots = b.op('Add', [left, b.op('Sub', [across(own, 1, 2), xz])]);
      const reciprocals = b.op('Div', [apart, roots]);
      return b.op('Mul', [b.op('Mul', [dots, across(reciprocals, 2)]), across(reciprocals, 1)]);
    },
  };
}

/** x² / 2 where |x| < 1, else |x| - 1/2: m (|x| - m / 2) with m = min(|x|, 1). */
function huber(b: GraphBuilder, x: string): string {
  const size = b.op('Abs', [x]);
  const near = b.op('Min', [size, constantLike(b, x, 1)]);
  return b.op('Mul', [near, b.op('Sub', [size, b.op('Mul', [near, constantLike(b, x, 0.5)])])]);
}
