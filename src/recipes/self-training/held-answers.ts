import type { Sample } from '../../datasets/dataset.ts';
import type { HeldPredictions } from '../../labelling/calibrated.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { Answer } from './labeller.ts';
import type { LabelledSample } from '../prepare-data.ts';

/** What labellers said of labelled images that they were not trained on; as logits, the logarithms of probabilities. */
export interface HeldAnswers extends HeldOutPredictions {
  readonly labels: readonly number[];
  readonly ids: readonly string[];
  /** [N] of their views and models. */
  readonly agreement: Float32Array;
}

/** A probability of 0 has no logarithm. */
const LEAST = 1e-30;

export function heldAnswers(
  classes: readonly string[],
  samples: readonly LabelledSample[],
  { probabilities, agreement, outliers }: Answer,
  foundOn: string,
): HeldAnswers {
  return {
    classes,
    logits: logitsOf(probabilities),
    labels: samples.map(({ label }) => label),
    ids: samples.map(({ id }) => id),
    agreement,
    outliers,
    foundOn,
  };
}

/** Logarithms: logits whose softmax the probabilities are. */
export function logitsOf(probabilities: Float32Array): Float32Array {
  return probabilities.map((p) => Math.log(Math.max(p, LEAST)));
}

/** As labelling takes them. */
export function heldOf({ logits, labels }: HeldAnswers): HeldPredictions {
  return { probabilities: Float32Array.from(logits, Math.exp), labels };
}

/** Without what is known of the classes of some images. */
export function withoutRows(held: HeldAnswers, samples: readonly Sample[]): HeldAnswers {
  const left = new Set(samples.map(({ id }) => id));
  return rowsWhere(held, (id) => !left.has(id));
}

/** What is known of some images. */
export function rowsWhere(held: HeldAnswers, isWanted: (id: string) => boolean): HeldAnswers {
  const k = held.classes.length;
  const rows = held.ids.flatMap((id, row) => (isWanted(id) ? [row] : []));
  return {
    ...held,
    logits: Float32Array.from(rows.flatMap((row) => [...held.logits.subarray(row * k, (row + 1) * k)])),
    labels: rows.map((row) => held.labels[row]!),
    ids: rows.map((row) => held.ids[row]!),
    agreement: Float32Array.from(rows, (row) => held.agreement[row]!),
    outliers: held.outliers && Float32Array.from(rows, (row) => held.outliers![row]!),
  };
}
