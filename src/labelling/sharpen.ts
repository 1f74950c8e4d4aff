import type { Probabilities } from './probabilities.ts';

/**
 * Rows p^(1/T), brought back to the sum 1 (MixMatch: Berthelot et al. 2019, eq. 7). T = 1 changes nothing, T towards 0
 * gives one-hot rows, T above 1 softens.
 * @param probabilities [N, K] @param temperature above 0
 * @returns [N, K]
 */
export function sharpen(probabilities: Probabilities, classes: number, temperature: number): Float64Array {
  const result = new Float64Array(probabilities.length);
  for (let start = 0; start < result.length; start += classes) {
    // Divided by the largest first: of a power of 1 / T, none may be left otherwise.
    let largest = 0;
    for (let k = 0; k < classes; k++) largest = Math.max(largest, probabilities[start + k]!);
    let sum = 0;
    for (let k = 0; k < classes; k++)
      sum += result[start + k] = (probabilities[start + k]! / largest) ** (1 / temperature);
    for (let k = 0; k < classes; k++) result[start + k]! /= sum;
  }
  return result;
}
