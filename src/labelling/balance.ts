/** A label that stands for more copies of itself than this teaches one image, not a class. */
const MOST_REPEATS = 10;

/**
 * As many labels a class as there are on average (Noisy Student: Xie et al. 2020, arXiv:1911.04252, section 3.1). Of
 * classes with more, the best are kept; with `resample`, labels of classes with fewer count several times, at most
 * 10, as the paper's duplicates do.
 * @param labels [N] 0..classes - 1 @param weights [N] 0 where unused @param scores [N] the higher, the better
 * @returns new weights [N], and the number of labels kept of a class
 */
export function balanced(
  labels: ArrayLike<number>,
  weights: Float64Array,
  scores: Float64Array,
  classes: number,
  kind: 'cap' | 'resample',
): { weights: Float64Array; most: number } {
  const used = Array.from(weights.keys()).filter((i) => weights[i]! > 0);
  const most = Math.ceil(used.length / classes);
  const result = new Float64Array(weights.length);
  for (let k = 0; k < classes; k++) {
    const own = used.filter((i) => labels[i] === k).toSorted((a, b) => scores[b]! - scores[a]! || a - b);
    const repeats = kind === 'resample' ? Math.max(1, Math.min(MOST_REPEATS, most / own.length)) : 1;
    for (const i of own.slice(0, most)) result[i] = weights[i]! * repeats;
  }
  return { weights: result, most };
}
