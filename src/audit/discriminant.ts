import { cholesky, solveCholesky } from '../core/cholesky.ts';

/**
 * Fisher's linear discriminant for few features: the class whose mean is nearest by the pooled covariance, which is
 * shrunk towards its diagonal, the more the fewer rows there are. All classes count alike, however many images each has.
 */
export interface Discriminant {
  /** Index of the likeliest class. */
  readonly predict: (features: ArrayLike<number>) => number;
}

/** @param rows [n, features], all of one length; @param labels of the rows, 0..classes - 1; each class needs a row */
export function fitDiscriminant(
  rows: readonly ArrayLike<number>[],
  labels: readonly number[],
  classes: number,
): Discriminant {
  const size = rows[0]!.length;
  const counts = new Float64Array(classes);
  const means = Array.from({ length: classes }, () => new Float64Array(size));
  for (const [i, row] of rows.entries()) {
    counts[labels[i]!]!++;
    for (let f = 0; f < size; f++) means[labels[i]!]![f]! += row[f]!;
  }
  for (const [c, mean] of means.entries()) for (let f = 0; f < size; f++) mean[f]! /= Math.max(1, counts[c]!);
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (const [i, row] of rows.entries()) {
    const mean = means[labels[i]!]!;
    for (let f = 0; f < size; f++) centred[f] = row[f]! - mean[f]!;
    for (let f = 0; f < size; f++) for (let g = 0; g <= f; g++) covariance[f * size + g]! += centred[f]! * centred[g]!;
  }
  const shrinkage = size / (size + rows.length);
  const trace = centred.reduce((sum, _, f) => sum + covariance[f * size + f]!, 0);
  for (let f = 0; f < size; f++)
    for (let g = 0; g <= f; g++) {
      covariance[f * size + g]! *= f === g ? 1 : 1 - shrinkage;
      if (f === g) covariance[f * size + f]! += 1e-6 * (trace / size) + 1e-12;
      covariance[g * size + f] = covariance[f * size + g]!;
    }
  // The squared distance to a mean is a linear function of the features, up to what all classes share.
  const factor = cholesky(covariance, size);
  const scores = means.map((mean) => {
    const weights = solveCholesky(factor, mean, size);
    return { weights, offset: -0.5 * mean.reduce((sum, value, f) => sum + value * weights[f]!, 0) };
  });
  return {
    predict(features) {
      let [best, most] = [0, Number.NEGATIVE_INFINITY];
      for (const [c, { weights, offset }] of scores.entries()) {
        if (counts[c] === 0) continue;
        let score = offset;
        for (let f = 0; f < size; f++) score += weights[f]! * features[f]!;
        if (score > most) [best, most] = [c, score];
      }
      return best;
    },
  };
}
