import { cholesky, solveCholesky } from '../core/cholesky.ts';

/** Ratios of the two precisions that are tried, in the mean eigenvalue of the Gram matrix: 10^-4 to 10^3, four a decade. */
const RATIOS = Array.from({ length: 29 }, (_, i) => 10 ** (-4 + i / 4));

/**
 * How well frozen features suit labels, without training: the logarithm of the evidence of a Bayesian linear model for the 0-1
 * target of each class, at its best precisions, an image, the mean over classes (LogME, You et al. 2021, arXiv:2102.11005,
 * eq. 2 and 3). Of several backbones on the same images, the larger is the better.
 *
 * With weights of precision alpha and noise of precision beta, targets are normal with covariance (F Fᵀ + t I) / (beta t), t =
 * alpha / beta. The best beta follows from t, so that one factorisation a ratio serves all classes; the authors iterate over alpha
 * and beta to the same maximum.
 * @param features [n, D] row-major
 * @param labels n class indices, 0..classes-1
 * @throws RangeError where sizes disagree
 */
export function logMe(features: ArrayLike<number>, labels: readonly number[], classes: number): number {
  const n = labels.length;
  const width = features.length / n;
  if (n === 0 || !Number.isInteger(width))
    throw new RangeError(`LogME takes a row of features for each of ${n} labels, got ${features.length} numbers.`);
  const gram = gramOf(features, n, width);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram[i * n + i]!;
  const best = Array.from({ length: classes }, () => Number.NEGATIVE_INFINITY);
  for (const ratio of RATIOS) {
    const t = (ratio * trace) / n;
    const shifted = Float64Array.from(gram);
    for (let i = 0; i < n; i++) shifted[i * n + i]! += t;
    const lower = cholesky(shifted, n);
    let logDeterminant = 0;
    for (let i = 0; i < n; i++) logDeterminant += 2 * Math.log(lower[i * n + i]!);
    for (let k = 0; k < classes; k++) {
      const target = Float64Array.from(labels, (label) => (label === k ? 1 : 0));
      const weights = solveCholesky(lower, target, n);
      const fit = target.reduce((sum, y, i) => sum + y * weights[i]!, 0);
      // A class without images has no spread to explain.
      if (fit <= 0) continue;
      const evidence = (n * (Math.log(n / fit) - 1 - Math.log(2 * Math.PI)) - logDeterminant) / 2;
      best[k] = Math.max(best[k]!, evidence / n);
    }
  }
  const known = best.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

function gramOf(features: ArrayLike<number>, n: number, width: number): Float64Array {
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let f = 0; f < width; f++) sum += features[i * width + f]! * features[j * width + f]!;
      gram[i * n + j] = sum;
      gram[j * n + i] = sum;
    }
  return gram;
}
