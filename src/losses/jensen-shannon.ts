import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { constantLike } from './targets.ts';

export interface JensenShannonOptions {
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Jensen-Shannon divergence of what a network says of several views of an image: the mean over the views of KL(p_v || M)
 * with p_v = softmax(z_v) and M the mean of all p_v. Between 0 (all views agree) and ln V. With a clean view and two
 * drawings of AugMix it is the consistency loss of Hendrycks et al. 2020 (arXiv:1912.02781, section 3).
 *
 * All through logarithms, ln M by log-sum-exp, so that nothing overflows or becomes ln 0 and M is not clamped. The authors'
 * code clamps it at 1e-7, which is the same wherever M is larger.
 * @param logits value [N, V, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError for logits of another rank, or of fewer than two views
 */
export function jensenShannon(b: GraphBuilder, logits: string, options: JensenShannonOptions = {}): string {
  const shape = b.shape(logits);
  const views = shape[1];
  if (shape.length !== 3 || typeof views !== 'number' || views < 2)
    throw new TypeError(`Logits of views must have shape [N, V, K] with V of at least 2, got [${shape}].`);
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: 2 });
  const logSum = b.op('ReduceLogSumExp', [logProbabilities, b.int([1])], { keepdims: 1 });
  const logMean = b.op('Sub', [logSum, constantLike(b, logits, Math.log(views))]);
  const differences = b.op('Sub', [logProbabilities, logMean]);
  const products = b.op('Mul', [b.op('Exp', [logProbabilities]), differences]);
  const sums = b.op('ReduceSum', [products, b.int([1, 2])], { keepdims: 0 });
  const divergences = b.op('Mul', [sums, constantLike(b, logits, 1 / views)]);
  return reduceLosses(b, divergences, options.reduction ?? 'mean', options.sampleWeights, undefined);
}
