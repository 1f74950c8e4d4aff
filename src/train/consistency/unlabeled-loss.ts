import type { Fragment } from './fragment.ts';
import type { ConsistencyParts } from './options.ts';

/**
 * [M]: how far logits [M, K] are from labels q [M, K]. Cross-entropy -sum q ln p; Kullback-Leibler sum q (ln q - ln p), of
 * the same gradient; squared error, the mean over classes of (q - p)^2 (MixMatch, arXiv:1905.02249, equation 4; Mean
 * Teacher, Tarvainen and Valpola 2017, arXiv:1703.01780).
 */
export function differences(f: Fragment, kind: ConsistencyParts['loss'], labels: string, logits: string): string {
  if (kind === 'squared-error') {
    const difference = f.op('Sub', [labels, f.op('Softmax', [logits], { axis: 1 })]);
    return f.reduce('Mean', f.op('Mul', [difference, difference]), [1]);
  }
  const logarithms = f.op('LogSoftmax', [logits], { axis: 1 });
  const from = kind === 'cross-entropy' ? logarithms : f.op('Sub', [logarithms, f.log(labels)]);
  return f.op('Neg', [f.reduce('Sum', f.op('Mul', [labels, from]), [1])]);
}
