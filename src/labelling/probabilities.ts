/** Probabilities as they are handed around here: [N, K] row-major, each row 0..1 with the sum 1. */
export type Probabilities = Float32Array | Float64Array;

/** Labels that a model would give. */
export interface MostLikely {
  /** [N] the class of the largest probability; of equal ones, the first. */
  readonly labels: Int32Array;
  /** [N] that probability. */
  readonly confidences: Float64Array;
}

/** Of float32 rows that a softmax made; an argument in another form is a mistake, not rounding. */
const ROUNDING = 1e-3;

/**
 * @param what names the array in messages
 * @returns N
 * @throws RangeError where the size is no multiple of `classes`, or a row is not finite, negative or of another sum than 1
 */
export function checkProbabilities(probabilities: Probabilities, classes: number, what: string): number {
  if (classes < 1 || probabilities.length % classes !== 0)
    throw new RangeError(`${what}: expected [N, ${classes}] probabilities, got ${probabilities.length} numbers.`);
  const rows = probabilities.length / classes;
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const p = probabilities[i * classes + k]!;
      if (!(p >= 0)) throw new RangeError(`${what}: row ${i} has the probability ${p}; expected 0..1.`);
      sum += p;
    }
    if (!(Math.abs(sum - 1) <= ROUNDING)) throw new RangeError(`${what}: row ${i} has the sum ${sum}; expected 1.`);
  }
  return rows;
}

export function mostLikely(probabilities: Probabilities, classes: number): MostLikely {
  const rows = probabilities.length / classes;
  const labels = new Int32Array(rows);
  const confidences = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let best = 0;
    for (let k = 1; k < classes; k++)
      if (probabilities[i * classes + k]! > probabilities[i * classes + best]!) best = k;
    labels[i] = best;
    confidences[i] = probabilities[i * classes + best]!;
  }
  return { labels, confidences };
}

/** [K] the mean row; needs one row at least. */
export function meanRow(probabilities: Probabilities, classes: number): Float64Array {
  const mean = new Float64Array(classes);
  for (let i = 0; i < probabilities.length; i++) mean[i % classes]! += probabilities[i]!;
  return mean.map((sum) => (sum * classes) / probabilities.length);
}

/** [N, K] each row multiplied by `factors` [K] and brought back to the sum 1; a row that gets no mass stays as it is. */
export function reweighted(probabilities: Probabilities, factors: ArrayLike<number>): Float64Array {
  const classes = factors.length;
  const result = Float64Array.from(probabilities);
  for (let start = 0; start < result.length; start += classes) {
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += result[start + k]! * factors[k]!;
    if (sum > 0) for (let k = 0; k < classes; k++) result[start + k]! *= factors[k]! / sum;
  }
  return result;
}
