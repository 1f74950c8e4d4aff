import { meanRow, type Probabilities } from './probabilities.ts';

/**
 * Distribution alignment (ReMixMatch: Berthelot et al. 2020, arXiv:1911.09785, section 3.1): rows are multiplied by the
 * wanted prior over the mean prediction, so that the mean comes near the prior.
 * @param probabilities [N, K] of the unlabelled images @param prior [K] estimated, of these images
 * @returns factors [K] for `reweighted`
 */
export function alignmentFactors(probabilities: Probabilities, prior: readonly number[]): number[] {
  const mean = meanRow(probabilities, prior.length);
  return prior.map((share, k) => (mean[k]! > 0 ? share / mean[k]! : 0));
}

/**
 * Logit adjustment after training (Menon et al. 2021, arXiv:2007.07314, eq. 9) to a prior that need not be even:
 * log(prior / source) is added to the logits, which multiplies probabilities by prior / source.
 * @param prior [K] of the unlabelled images @param source [K] behind the probabilities
 * @returns factors [K] for `reweighted`
 */
export function logitAdjustmentFactors(prior: readonly number[], source: readonly number[]): number[] {
  return prior.map((share, k) => (source[k]! > 0 ? share / source[k]! : 0));
}
