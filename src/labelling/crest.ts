/** The paper's alpha, 1/3 to 1/2 there. */
const ALPHA = 1 / 3;

/**
 * CReST's sampling rates (Wei et al. 2021, arXiv:2102.09559, eq. 1): with classes by falling frequency N_1 >= ... >= N_K,
 * of what is labelled as class l the share (N_(K+1-l) / N_1)^alpha is kept: all of the rarest class, least of the most
 * frequent one. Frequencies are the estimated prior's here, where the paper takes the labelled part's.
 * @param prior [K]
 * @returns [K] 0..1
 */
export function samplingRates(prior: readonly number[]): number[] {
  const order = Array.from(prior.keys()).toSorted((a, b) => prior[b]! - prior[a]!);
  const rates = prior.map(() => 0);
  for (const [rank, k] of order.entries())
    rates[k] = (prior[order[order.length - 1 - rank]!]! / prior[order[0]!]!) ** ALPHA;
  return rates;
}
