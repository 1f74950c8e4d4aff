import type { Fragment } from './fragment.ts';
import type { ConsistencyParts } from './options.ts';

/**
 * Probabilities [M, K] that the labeller's logits say, made fair first where asked: z - lambda ln p, with p the moving
 * average of the predictions (debiased pseudo-labels, Wang et al. 2022, arXiv:2201.01490, equations 2 and 3).
 */
export function labels(f: Fragment, logits: string, { debias }: Pick<ConsistencyParts, 'debias'>): string {
  const softmax = (value: string): string => f.op('Softmax', [value], { axis: 1 });
  const probabilities = softmax(logits);
  if (debias === 0) return probabilities;
  const mean = f.average('mean_prediction', f.reduce('Mean', probabilities, [0]));
  return softmax(f.op('Sub', [logits, f.op('Mul', [f.log(mean), debias])]));
}

/**
 * What is learnt of probabilities [M, K]: the likeliest class (Lee 2013; FixMatch), all of them, or sharpened,
 * p_k^(1/T) / sum over j of p_j^(1/T) (MixMatch, Berthelot et al. 2019, arXiv:1905.02249, equation 7).
 */
export function targets(f: Fragment, probabilities: string, { target }: Pick<ConsistencyParts, 'target'>): string {
  if (target.kind === 'hard') return f.oneHot(probabilities);
  if (target.kind === 'soft') return probabilities;
  return f.op('Softmax', [f.op('Mul', [f.log(probabilities), 1 / target.temperature])], { axis: 1 });
}
