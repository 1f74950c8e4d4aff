import type { GraphBuilder } from '../onnx/builder.ts';
import { labelLoss, rowSums, type LabelLossOptions } from './label-loss.ts';
import { constantLike } from './targets.ts';

export interface SymmetricCrossEntropyOptions extends LabelLossOptions {
  /** What cross-entropy counts for, 0 or more. Default 0.1, the paper's for CIFAR-10. */
  readonly alpha?: number;
  /** What reverse cross-entropy counts for, 0 or more. Default 1. */
  readonly beta?: number;
  /** A, below 0: what ln 0 is taken for. Default ln 1e-4, as in the authors' code. */
  readonly logZero?: number;
}

/**
 * Symmetric cross-entropy, l = alpha CE(t, p) + beta RCE(t, p) with CE = -sum t_k ln p_k and RCE = -sum p_k ln t_k, in which
 * ln t_k is A at least. Wang et al. 2019 (arXiv:1908.06112), eq. 5 to 7. Of a hard label RCE is -A (1 - p_y): bounded, so that a
 * wrong label pulls no harder than that.
 * @param logits value [N, K]
 * @param labels value int64 [N], or of the logits' type [N, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit
 * @example
 * const loss = symmetricCrossEntropy(builder, 'logits', builder.input('labels', 'int64', [8]));
 */
export function symmetricCrossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: SymmetricCrossEntropyOptions = {},
): string {
  const { alpha = 0.1, beta = 1, logZero = Math.log(1e-4) } = options;
  if (!(logZero < 0 && Number.isFinite(logZero)))
    throw new RangeError(`What ln 0 is taken for must be finite and below 0, got ${logZero}.`);
  if (!(alpha >= 0 && beta >= 0 && alpha + beta > 0 && Number.isFinite(alpha + beta)))
    throw new RangeError(`alpha and beta must be 0 or more, and not both 0, got ${alpha} and ${beta}.`);
  const constant = (x: number): string => constantLike(b, logits, x);
  return labelLoss(b, logits, labels, options, (target, logProbabilities) => {
    const cross = rowSums(b, b.op('Mul', [target, logProbabilities]));
    const logTarget = b.op('Log', [b.op('Max', [target, constant(Math.exp(logZero))])]);
    const reverse = rowSums(b, b.op('Mul', [b.op('Exp', [logProbabilities]), logTarget]));
    return b.op('Add', [b.op('Mul', [cross, constant(-alpha)]), b.op('Mul', [reverse, constant(-beta)])]);
  });
}
