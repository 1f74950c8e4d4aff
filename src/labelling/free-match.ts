import { meanRow, mostLikely, type Probabilities } from './probabilities.ts';

/**
 * FreeMatch's self-adaptive thresholds (Wang et al. 2023, arXiv:2205.07246, eq. 5, 6 and 8): the mean confidence, times
 * each class's mean probability over the largest one. The paper's moving averages are means over all images here.
 * @param probabilities [N, K], N at least 1
 * @returns [K]
 */
export function freeThresholds(probabilities: Probabilities, classes: number): number[] {
  const { confidences } = mostLikely(probabilities, classes);
  const overall = confidences.reduce((sum, p) => sum + p, 0) / confidences.length;
  const local = meanRow(probabilities, classes);
  const largest = Math.max(...local);
  return Array.from(local, (share) => (share / largest) * overall);
}
