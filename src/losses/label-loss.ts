import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { checkClassWeights, constantLike, logitsShape, smoothed, targets } from './targets.ts';

/** What every loss of labels takes. */
export interface LabelLossOptions {
  /** As of cross-entropy: share of every target that is spread evenly over all classes, 0..1 (default 0). */
  readonly smoothing?: number;
  /** What a sample of each class counts for, K of them. */
  readonly classWeights?: readonly number[];
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * A loss that compares a target distribution with log-probabilities, sample by sample, weighed and reduced as cross-entropy is:
 * with class indices the mean divides by the sum of the true classes' weights, with soft labels by the number of samples.
 * @param each from targets and log-probabilities [N, K] to losses [N]
 * @throws TypeError, RangeError where shapes or options do not fit
 */
export function labelLoss(
  b: GraphBuilder,
  logits: string,
  labels: string,
  { smoothing = 0, classWeights, sampleWeights, reduction = 'mean' }: LabelLossOptions,
  each: (target: string, logProbabilities: string) => string,
): string {
  const [, classes] = logitsShape(b, logits);
  const { value, fromIndices } = targets(b, logits, labels);
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: 1 }, { name: 'log_probabilities' });
  let losses = each(smoothed(b, logits, value, smoothing), logProbabilities);
  let normalizers: string | undefined;
  if (classWeights !== undefined) {
    checkClassWeights(classWeights, classes);
    const counts = rowSums(b, b.op('Mul', [value, constantLike(b, logits, classWeights)]));
    losses = b.op('Mul', [losses, counts]);
    if (fromIndices) normalizers = counts;
  }
  return reduceLosses(b, losses, reduction, sampleWeights, normalizers);
}

/** [N] of [N, K]. */
export function rowSums(b: GraphBuilder, rows: string): string {
  return b.op('ReduceSum', [rows, b.int([1])], { keepdims: 0 });
}
