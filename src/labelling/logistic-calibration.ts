import { cholesky, solveCholesky } from '../core/cholesky.ts';

/** A normal prior of one coefficient. */
export interface Belief {
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Deviations of its doubt that a prediction lies below the likeliest: with 100 held images, the lower quartile (0.67) called
 * labels 95 % right of which 93 % were (`bench/evidence.mjs`).
 */
const CAUTION = 1;
const ROUNDS = 50;
const AT_REST = 1e-8;

/**
 * Bayesian logistic regression on few features: the most likely coefficients under normal priors, by Newton's method, and
 * Laplace's approximation of the doubt about them (MacKay 1992, "The evidence framework applied to classification
 * networks"). A prediction lies one deviation of that doubt low: five to one that the chance is higher, and the fewer
 * examples there are, the more cautious it is.
 * @param rows [M] of features [F] @param weights [M] 0 or more: how many examples a row counts as
 * @param beliefs [F]
 * @returns chance of being right, 0..1, for features [F]
 */
export function fitLogistic(
  rows: readonly (readonly number[])[],
  right: readonly boolean[],
  weights: ArrayLike<number>,
  beliefs: readonly Belief[],
): (features: readonly number[]) => number {
  const size = beliefs.length;
  const objective = (at: ArrayLike<number>): number => {
    let sum = 0;
    for (const [f, { mean, deviation }] of beliefs.entries()) sum += ((at[f]! - mean) / deviation) ** 2 / 2;
    for (const [i, row] of rows.entries()) sum += weights[i]! * softplus(right[i]! ? -dot(at, row) : dot(at, row));
    return sum;
  };
  let coefficients = Float64Array.from(beliefs, ({ mean }) => mean);
  let factor: Float64Array = new Float64Array(size * size);
  for (let round = 0; round < ROUNDS; round++) {
    const gradient = new Float64Array(size);
    const curvature = new Float64Array(size * size);
    for (const [f, { mean, deviation }] of beliefs.entries()) {
      gradient[f] = (coefficients[f]! - mean) / deviation ** 2;
      curvature[f * size + f] = 1 / deviation ** 2;
    }
    for (const [i, row] of rows.entries()) {
      const p = sigmoid(dot(coefficients, row));
      for (let f = 0; f < size; f++) {
        gradient[f]! += weights[i]! * (p - Number(right[i])) * row[f]!;
        for (let g = 0; g < size; g++) curvature[f * size + g]! += weights[i]! * p * (1 - p) * row[f]! * row[g]!;
      }
    }
    factor = cholesky(curvature, size);
    const step = solveCholesky(factor, gradient, size);
    const before = objective(coefficients);
    let share = 1;
    let next = coefficients.map((value, f) => value - step[f]!);
    while (objective(next) > before && share > 1e-4) {
      share /= 2;
      next = coefficients.map((value, f) => value - share * step[f]!);
    }
    coefficients = next;
    if (step.every((value) => Math.abs(value) < AT_REST)) break;
  }
  return (features) => {
    const variance = dot(solveCholesky(factor, features, size), features);
    return sigmoid(dot(coefficients, features) - CAUTION * Math.sqrt(variance));
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** log(1 + e^x) */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
