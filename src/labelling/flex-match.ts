import type { MostLikely } from './probabilities.ts';

/**
 * FlexMatch's thresholds by class (Zhang et al. 2021, arXiv:2110.08263, eq. 6, 7, 11 and the convex mapping x / (2 - x)):
 * the fewer images pass `value` as a class, the lower is its threshold. Counted over all images at once, where the paper
 * counts as it meets them.
 * @param value the highest threshold, 0..1
 * @returns [K]
 */
export function flexThresholds({ labels, confidences }: MostLikely, classes: number, value: number): number[] {
  const learnt = Array.from({ length: classes }, () => 0);
  for (const [i, label] of labels.entries()) if (confidences[i]! > value) learnt[label]!++;
  const unused = labels.length - learnt.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, unused, ...learnt);
  return learnt.map((count) => {
    const status = count / most;
    return (status / (2 - status)) * value;
  });
}
