import type { GraphBuilder } from '../onnx/builder.ts';
import { labelLoss, rowSums, type LabelLossOptions } from './label-loss.ts';
import { constantLike } from './targets.ts';

export interface GeneralizedCrossEntropyOptions extends LabelLossOptions {
  /** q, over 0 and at most 1: near 0 it is cross-entropy, at 1 the mean absolute error (halved). Default 0.7, the paper's. */
  readonly q?: number;
}

/**
 * Generalized cross-entropy, l = sum t_k (1 - p_k^q) / q. Zhang and Sabuncu 2018 (arXiv:1805.07836), eq. 6, without truncation.
 * Its gradient is cross-entropy's times p_y^q: a sample counts less the less the network believes its label.
 * @param logits value [N, K]
 * @param labels value int64 [N], or of the logits' type [N, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit
 * @example
 * const loss = generalizedCrossEntropy(builder, 'logits', builder.input('labels', 'int64', [8]), { q: 0.7 });
 */
export function generalizedCrossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: GeneralizedCrossEntropyOptions = {},
): string {
  const { q = 0.7 } = options;
  if (!(q > 0 && q <= 1)) throw new RangeError(`q must be over 0 and at most 1, got ${q}.`);
  const constant = (x: number): string => constantLike(b, logits, x);
  return labelLoss(b, logits, labels, options, (target, logProbabilities) => {
    const powers = b.op('Exp', [b.op('Mul', [logProbabilities, constant(q)])]);
    const boxCox = b.op('Mul', [b.op('Sub', [constant(1), powers]), constant(1 / q)]);
    return rowSums(b, b.op('Mul', [target, boxCox]));
  });
}
