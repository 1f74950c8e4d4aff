import type { Probabilities } from './probabilities.ts';

const MOST_ROUNDS = 200;
/** Largest change of a share between rounds at which it has come to rest. */
const AT_REST = 1e-5;

/**
 * The class prior of unlabelled images by expectation and maximisation (Saerens, Latinne and Decaestecker 2002, eq. 2.9):
 * posteriors are corrected from the prior that the model learnt to the estimate, and their mean is the next estimate.
 * The probabilities must be calibrated (Alexandari, Kundaje and Shrikumar 2020).
 * @param probabilities [N, K] of unlabelled images
 * @param source [K] the prior behind these probabilities
 * @returns [K], sum 1
 */
export function saerensPrior(probabilities: Probabilities, source: ArrayLike<number>): number[] {
  const classes = source.length;
  let prior = Float64Array.from(source);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = new Float64Array(classes);
    const factors = prior.map((share, k) => (source[k]! > 0 ? share / source[k]! : 0));
    let rows = 0;
    for (let start = 0; start < probabilities.length; start += classes) {
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += probabilities[start + k]! * factors[k]!;
      if (sum === 0) continue;
      rows++;
      for (let k = 0; k < classes; k++) next[k]! += (probabilities[start + k]! * factors[k]!) / sum;
    }
    let change = 0;
    for (let k = 0; k < classes; k++) {
      next[k]! /= rows;
      change = Math.max(change, Math.abs(next[k]! - prior[k]!));
    }
    prior = next;
    if (change < AT_REST) break;
  }
  return Array.from(prior);
}
