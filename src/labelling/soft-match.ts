/**
 * SoftMatch's weights, a Gaussian cut at its mean (Chen et al. 2023, arXiv:2301.10921, eq. 6 and 7, the largest weight 1):
 * 1 from the mean confidence upwards, exp(-(p - mean)² / (2 variance)) below. Mean and variance are those of all images,
 * where the paper has moving averages over batches.
 * @param confidences [N] 0..1
 * @returns weights [N], 0..1, and the mean
 */
export function softWeights(confidences: Float64Array): { weights: Float64Array; mean: number } {
  const n = confidences.length;
  const mean = confidences.reduce((sum, p) => sum + p, 0) / n;
  const variance = confidences.reduce((sum, p) => sum + (p - mean) ** 2, 0) / Math.max(1, n - 1);
  const weights = confidences.map((p) => (p >= mean ? 1 : Math.exp(-((p - mean) ** 2) / (2 * variance))));
  return { weights, mean };
}
