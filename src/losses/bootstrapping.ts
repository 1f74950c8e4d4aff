import type { GraphBuilder } from '../onnx/builder.ts';
import { labelLoss, rowSums, type LabelLossOptions } from './label-loss.ts';
import { constantLike, targets } from './targets.ts';
import { teacherLabels } from './teacher.ts';

export interface BootstrappingOptions extends LabelLossOptions {
  /** Whether the network's distribution or its most probable class stands beside the label. Default `soft`. */
  readonly kind?: 'soft' | 'hard';
  /** What the label counts for, 0..1; the network's own word counts for the rest. Default 0.95 soft, 0.8 hard, the paper's. */
  readonly beta?: number;
}

/**
 * Bootstrapping, l = -sum (beta t_k + (1 - beta) z_k) ln p_k. Reed et al. 2015 (arXiv:1412.6596): soft with z = p, whose
 * entropy is so made small and which gradients pass (eq. 6); hard with z the most probable class, a constant (eq. 7).
 * @param logits value [N, K]
 * @param labels value int64 [N], or of the logits' type [N, K]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit
 * @example
 * const loss = bootstrapping(builder, 'logits', builder.input('labels', 'int64', [8]), { kind: 'hard' });
 */
export function bootstrapping(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: BootstrappingOptions = {},
): string {
  const { kind = 'soft' } = options;
  const { beta = kind === 'soft' ? 0.95 : 0.8 } = options;
  if (!(beta >= 0 && beta <= 1)) throw new RangeError(`beta must be at least 0 and at most 1, got ${beta}.`);
  const constant = (x: number): string => constantLike(b, logits, x);
  return labelLoss(b, logits, labels, options, (target, logProbabilities) => {
    const own =
      kind === 'soft'
        ? b.op('Exp', [logProbabilities])
        : targets(b, logits, teacherLabels(b, logits, { logits })).value;
    const mixed = b.op('Add', [b.op('Mul', [target, constant(beta)]), b.op('Mul', [own, constant(1 - beta)])]);
    return b.op('Neg', [rowSums(b, b.op('Mul', [mixed, logProbabilities]))]);
  });
}
