/**
 * The lowest score that is kept of each label, where of its images the best `share` (rounded up) is kept. Of equal scores
 * all are kept.
 * @param labels [N] 0..classes - 1 @param scores [N] @param shares [K] 0..1
 * @returns [K]; Infinity where nothing is kept
 */
export function lowestKept(labels: ArrayLike<number>, scores: Float64Array, shares: readonly number[]): number[] {
  return shares.map((share, k) => {
    const own = scores
      .filter((_, i) => labels[i] === k)
      .toSorted()
      .toReversed();
    // The product of a share and a number may lie above the whole number it means.
    return own[Math.ceil(share * own.length - 1e-9) - 1] ?? Infinity;
  });
}
