import { fitTemperature } from '../evaluate/temperature.ts';
import { checkProbabilities, type Probabilities } from './probabilities.ts';
import { sharpen } from './sharpen.ts';

/** Predictions of labelled images by models that did not see them (out of fold). */
export interface HeldPredictions {
  /** [M, K] */
  readonly probabilities: Probabilities;
  /** [M] index of the true class */
  readonly labels: readonly number[];
}

/** A logarithm needs more than 0. */
const LEAST = 1e-9;

/** @throws RangeError where sizes disagree, a label is no class, or there is no row */
export function checkHeld({ probabilities, labels }: HeldPredictions, classes: number): void {
  const rows = checkProbabilities(probabilities, classes, 'held images');
  if (rows === 0 || rows !== labels.length)
    throw new RangeError(
      `Held images: expected as many labels as rows, at least one; got ${labels.length} and ${rows}.`,
    );
  for (const [row, label] of labels.entries())
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new RangeError(`Held images: row ${row} has the label ${label}; there are ${classes} classes.`);
}

/** The temperature that fits held predictions best (`fitTemperature`); their logarithms serve as logits. */
export function heldTemperature({ probabilities, labels }: HeldPredictions, classes: readonly string[]): number {
  const logits = Float64Array.from(probabilities, (p) => Math.log(Math.max(p, LEAST)));
  return fitTemperature({ classes, logits, labels }).temperature;
}

/** softmax(log p / T) of each row [N, K]. */
export function atTemperature(probabilities: Probabilities, classes: number, temperature: number): Float64Array {
  return sharpen(
    Float64Array.from(probabilities, (p) => Math.max(p, LEAST)),
    classes,
    temperature,
  );
}
