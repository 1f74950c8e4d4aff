import type { Decision } from './predictions.ts';

/** An image that was called another class, and how surely. */
export interface Mistake {
  /** Usually the file. */
  readonly id: string;
  readonly label: string;
  readonly predicted: string;
  /** Of `predicted`, 0..1. */
  readonly probability: number;
  /** Of `label`, 0..1. */
  readonly probabilityOfLabel: number;
}

/** The wrong rows that the classifier was surest of, surest first. */
export function worstMistakes(
  rows: readonly Decision[],
  classes: readonly string[],
  ids: readonly string[],
  limit: number,
): Mistake[] {
  return rows
    .map(({ label, predicted, confidence, probabilities }, i) => ({
      id: ids[i]!,
      label: classes[label]!,
      predicted: classes[predicted]!,
      probability: confidence,
      probabilityOfLabel: probabilities[label]!,
    }))
    .filter((row) => row.label !== row.predicted)
    .toSorted((a, b) => b.probability - a.probability || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}
