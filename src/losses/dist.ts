import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { soften } from './soften.ts';
import { constantLike, logitsShape } from './targets.ts';
import { teacherLogits, type Teacher } from './teacher.ts';
import { weightedTerms } from './weighted-terms.ts';

export interface DistOptions {
  /** What the relations between the classes of a sample count for. Default 1. */
  readonly beta?: number;
  /** What the relations between the samples of a class count for. Default 1. */
  readonly gamma?: number;
  /** T, over 0. Default 1, as for ImageNet; the authors have 4, with beta and gamma of 2, for CIFAR-100. */
  readonly temperature?: number;
  /** Value of shape [N]: what each sample counts for, in both relations: a sample of weight 2 is as two of them. */
  readonly sampleWeights?: string;
  /** Default `mean`. With `none` and `sum`, the loss between samples is part of every sample's. */
  readonly reduction?: Reduction;
}

/** Added to the divisor of a correlation, as in the authors' code. */
const EPSILON = 1e-8;

/**
 * DIST: Pearson's correlation in place of a divergence, so that a student far weaker than its teacher need match relations
 * only. With y = softmax(z / T), l = T² (beta mean over samples (1 - r(y_s[i, :], y_t[i, :])) + gamma mean over classes
 * (1 - r(y_s[:, k], y_t[:, k]))). Huang et al. 2022 (arXiv:2205.10536), section 3; T² as in the authors' code.
 *
 * The second term is one of the batch: what a step's batch is divided into changes it. A sample whose probabilities are all
 * equal has no correlation; it counts as 0, with a slope of up to 1 / EPSILON, as in the authors' code. So a student must not
 * start with a head of zeros.
 * @param logits the student's, value [N, K]; N of at least 2 unless gamma is 0
 * @param teacher of the same shape; probabilities may be 0
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const loss = dist(builder, 'logits', { logits: 'teacher' }, { beta: 2, gamma: 2, temperature: 4 });
 */
export function dist(b: GraphBuilder, logits: string, teacher: Teacher, options: DistOptions = {}): string {
  const { beta = 1, gamma = 1, temperature = 1, sampleWeights, reduction = 'mean' } = options;
  const [n, classes] = logitsShape(b, logits);
  if (n < 2 && gamma > 0)
    throw new TypeError(`DIST compares the samples of a batch: it needs at least 2, got logits [${n}, ${classes}].`);
  const probabilities = (value: string): string => b.op('Softmax', [soften(b, value, temperature)], { axis: 1 });
  const [s, t] = [probabilities(logits), probabilities(teacherLogits(b, logits, teacher))];
  const sum = weightedTerms(b, logits, {
    beta: { weight: beta, value: () => unlikeness(b, s, t, 1) },
    gamma: {
      weight: gamma,
      value: () => b.op('ReduceMean', [unlikeness(b, s, t, 0, sampleWeights)], { keepdims: 0 }),
    },
  });
  const scaled = b.op('Mul', [sum, constantLike(b, logits, temperature ** 2)]);
  const losses = beta > 0 ? scaled : b.op('Expand', [scaled, b.int([n])]);
  return reduceLosses(b, losses, reduction, sampleWeights, undefined);
}

/** 1 less Pearson's correlation of x and y [N, K] along an axis; what is left is of the other one. */
function unlikeness(b: GraphBuilder, x: string, y: string, axis: 0 | 1, weights?: string): string {
  const axes = b.int([axis]);
  const sum = (value: string): string => b.op('ReduceSum', [value, axes], { keepdims: 1 });
  const column = weights === undefined ? undefined : b.op('Unsqueeze', [weights, b.int([1])]);
  const centred = (value: string): string => {
    if (column === undefined) return b.op('Sub', [value, b.op('ReduceMean', [value, axes], { keepdims: 1 })]);
    const mean = b.op('Div', [sum(b.op('Mul', [value, column])), sum(column)]);
    return b.op('Mul', [b.op('Sub', [value, mean]), b.op('Sqrt', [column])]);
  };
  const [u, v] = [centred(x), centred(y)];
  const norm = (value: string): string => b.op('ReduceL2', [value, axes], { keepdims: 0 });
  const divisor = b.op('Add', [b.op('Mul', [norm(u), norm(v)]), constantLike(b, x, EPSILON)]);
  const product = b.op('ReduceSum', [b.op('Mul', [u, v]), axes], { keepdims: 0 });
  return b.op('Sub', [constantLike(b, x, 1), b.op('Div', [product, divisor])]);
}
