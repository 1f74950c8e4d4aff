import { checkPredictions, decisions, type Predictions } from './predictions.ts';

export interface AbstainThreshold {
  /** Answers with a lower probability than this are withheld. */
  readonly threshold: number;
  /** Share of answers at or above it that are right. */
  readonly precision: number;
  /** Share of rows that are answered. */
  readonly coverage: number;
}

/**
 * The lowest probability at which the answers reach the precision wanted; undefined where they never do.
 * The rows must not have been trained on: held out, or out of fold.
 * @param wanted a share, 0..1.
 * @param temperature what the model will be exported with.
 * @throws RangeError unless 0 < wanted <= 1.
 */
export function abstainThreshold(
  predictions: Predictions,
  wanted: number,
  temperature = 1,
): AbstainThreshold | undefined {
  checkPredictions(predictions);
  if (!(wanted > 0 && wanted <= 1)) throw new RangeError(`The precision wanted must be in 0..1, got ${wanted}.`);
  const rows = decisions(predictions, temperature).toSorted((a, b) => b.confidence - a.confidence);
  let right = 0;
  let best: AbstainThreshold | undefined;
  for (const [i, { label, predicted, confidence }] of rows.entries()) {
    if (label === predicted) right++;
    // Rows of the same probability are answered together or not at all.
    if (rows[i + 1]?.confidence === confidence) continue;
    const precision = right / (i + 1);
    if (precision >= wanted) best = { threshold: confidence, precision, coverage: (i + 1) / rows.length };
  }
  return best;
}
