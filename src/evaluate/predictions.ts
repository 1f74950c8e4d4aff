/** What a classifier said of images whose class is known. */
export interface Predictions {
  /** Names, in the order of the logits' columns. */
  readonly classes: readonly string[];
  /** [N, K] row-major, before softmax and temperature. */
  readonly logits: Float32Array | Float64Array;
  /** Index of the true class of each row. */
  readonly labels: readonly number[] | Int32Array;
  /** What each row is, usually a file; default: its number. */
  readonly ids?: readonly string[];
}

/** One row, decided. */
export interface Decision {
  readonly label: number;
  /** Index of the largest logit; of equal ones, the first. */
  readonly predicted: number;
  /** Probability of `predicted`, 0..1. */
  readonly confidence: number;
  /** -log of the probability of `label`. */
  readonly nll: number;
  /** Probabilities of all classes. */
  readonly probabilities: Float64Array;
}

/**
 * @throws RangeError where sizes disagree, a label is no class, a logit is not finite, or there is no row.
 */
export function checkPredictions({ classes, logits, labels, ids }: Predictions): void {
  if (labels.length === 0) throw new RangeError('There is nothing to evaluate: no row has a label.');
  if (logits.length !== labels.length * classes.length)
    throw new RangeError(
      `${labels.length} labels and ${classes.length} classes need ${labels.length * classes.length} logits, got ${logits.length}.`,
    );
  if (ids !== undefined && ids.length !== labels.length)
    throw new RangeError(`${labels.length} labels need as many ids, got ${ids.length}.`);
  for (const [row, label] of labels.entries())
    if (!Number.isInteger(label) || label < 0 || label >= classes.length)
      throw new RangeError(`Row ${row} has the label ${label}; there are ${classes.length} classes.`);
  const broken = logits.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0)
    throw new RangeError(
      `Row ${Math.floor(broken / classes.length)} has a logit that is not finite (${logits[broken]}).`,
    );
}

/** Softmax of every row at `temperature`, in float64. */
export function decisions({ classes, logits, labels }: Predictions, temperature = 1): Decision[] {
  const k = classes.length;
  return Array.from(labels, (label, row) => {
    const probabilities = new Float64Array(k);
    let predicted = 0;
    for (let j = 1; j < k; j++) if (logits[row * k + j]! > logits[row * k + predicted]!) predicted = j;
    const largest = logits[row * k + predicted]!;
    let sum = 0;
    for (let j = 0; j < k; j++) sum += probabilities[j] = Math.exp((logits[row * k + j]! - largest) / temperature);
    for (let j = 0; j < k; j++) probabilities[j]! /= sum;
    return {
      label,
      predicted,
      confidence: probabilities[predicted]!,
      nll: Math.log(sum) - (logits[row * k + label]! - largest) / temperature,
      probabilities,
    };
  });
}

/** Softmax of each row of logits [N, K], as float32. */
export function softmaxRows(logits: Float32Array, classes: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    const row = logits.subarray(from, from + classes);
    const largest = Math.max(...row);
    const sum = row.reduce((total, z) => total + Math.exp(z - largest), 0);
    for (let k = 0; k < classes; k++) probabilities[from + k] = Math.exp(row[k]! - largest) / sum;
  }
  return probabilities;
}
