import { atTemperature } from './calibrated.ts';
import type { ClassPrior } from './class-prior.ts';
import { fitLogistic, type Belief } from './logistic-calibration.ts';
import { reweighted, type Probabilities } from './probabilities.ts';

/** Labels given to images, and what is known of each. */
export interface Given {
  /** [N, K] the teacher's, as they are. */
  readonly probabilities: Probabilities;
  /** [N] what each image would be labelled. */
  readonly labels: ArrayLike<number>;
  /** [N] 0..1 */
  readonly agreement?: ArrayLike<number> | undefined;
}

/** Of a probability that is calibrated already: as it is (offset 0, slope 1); so many held images move it. */
const OFFSET: Belief = { mean: 0, deviation: 1 };
const SLOPE: Belief = { mean: 1, deviation: 0.5 };
/** Of agreement - 1. */
const AGREEMENT: Belief = { mean: 0, deviation: 8 };
/** Of a probability: beyond, its logit says more about rounding. */
const LEAST = 1e-6;

/**
 * The chance that each unlabelled image's label is right. The probability of the label, calibrated by a temperature and
 * corrected to the prior of the unlabelled images, is put through a logistic regression of "right or not" on the held
 * images (Platt 1999), which are weighted as often as their class occurs there (importance weights of label shift,
 * Lipton et al. 2018). Agreement is a second feature where the held images have it; else it multiplies the chance.
 * @returns [N] 0..1
 */
export function chanceOfRight(
  pool: Given,
  held: Given & { readonly truth: readonly number[] },
  { prior, source, temperature }: ClassPrior,
): Float64Array {
  const classes = prior.length;
  const hasAgreement = pool.agreement !== undefined && held.agreement !== undefined;
  const correction = prior.map((share, k) => share / Math.max(source[k]!, LEAST));
  const featuresOf = ({ probabilities, labels, agreement }: Given): number[][] => {
    const corrected = reweighted(atTemperature(probabilities, classes, temperature), correction);
    return Array.from(labels, (label, i) => {
      const p = Math.min(1 - LEAST, Math.max(LEAST, corrected[i * classes + label]!));
      const logit = Math.log(p / (1 - p));
      return hasAgreement ? [1, logit, agreement![i]! - 1] : [1, logit];
    });
  };
  const counts = new Float64Array(classes);
  for (const label of held.truth) counts[label]!++;
  const chance = fitLogistic(
    featuresOf(held),
    held.truth.map((label, i) => label === held.labels[i]),
    effective(held.truth.map((label) => prior[label]! / counts[label]!)),
    hasAgreement ? [OFFSET, SLOPE, AGREEMENT] : [OFFSET, SLOPE],
  );
  const missing = hasAgreement ? undefined : pool.agreement;
  return Float64Array.from(featuresOf(pool), (features, i) => chance(features) * (missing?.[i] ?? 1));
}

/** Weights scaled to the number of examples that they are worth: (sum w)² / sum w² (Kish 1965). */
function effective(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const squares = weights.reduce((total, weight) => total + weight ** 2, 0);
  return squares === 0 ? weights.map(() => 1) : weights.map((weight) => (weight * sum) / squares);
}
