import type { Decision } from './predictions.ts';

/** Undefined where there is nothing to divide by. */
export interface ClassMetrics {
  /** Images of this class. */
  readonly support: number;
  /** Of those called this class, the share that is. */
  readonly precision?: number;
  /** Of those that are this class, the share that is called so. */
  readonly recall?: number;
  /** 2 TP / (2 TP + FP + FN). */
  readonly f1?: number;
}

export interface ClassificationMetrics {
  readonly accuracy: number;
  /** Mean recall of the classes that have images. */
  readonly balancedAccuracy: number;
  /** Mean F1 of the classes that have images or were predicted. */
  readonly macroF1: number;
  /** Share of rows whose true class is among the five most probable; absent where there are 10 classes or fewer. */
  readonly topFive?: number;
  readonly perClass: Readonly<Record<string, ClassMetrics>>;
  /** Rows are the true classes, columns the predicted ones; counts. */
  readonly confusion: readonly (readonly number[])[];
}

/** With fewer classes than this, five guesses are too many to mean anything. */
const CLASSES_FOR_TOP_FIVE = 11;

export function classificationMetrics(rows: readonly Decision[], classes: readonly string[]): ClassificationMetrics {
  const confusion = classes.map(() => classes.map(() => 0));
  for (const { label, predicted } of rows) confusion[label]![predicted]!++;
  const metrics = classes.map((_, k) => classMetrics(confusion, k));
  const recalls = metrics.map(({ recall }) => recall).filter((recall) => recall !== undefined);
  const scores = metrics.map(({ f1 }) => f1).filter((f1) => f1 !== undefined);
  return {
    accuracy: rows.filter(({ label, predicted }) => label === predicted).length / rows.length,
    balancedAccuracy: mean(recalls),
    macroF1: mean(scores),
    ...(classes.length >= CLASSES_FOR_TOP_FIVE && {
      topFive: rows.filter((row) => rankOfLabel(row) < 5).length / rows.length,
    }),
    perClass: Object.fromEntries(classes.map((name, k) => [name, metrics[k]!])),
    confusion,
  };
}

function classMetrics(confusion: readonly (readonly number[])[], k: number): ClassMetrics {
  const hits = confusion[k]![k]!;
  const support = confusion[k]!.reduce((sum, count) => sum + count, 0);
  const called = confusion.reduce((sum, row) => sum + row[k]!, 0);
  return {
    support,
    ...(called > 0 && { precision: hits / called }),
    ...(support > 0 && { recall: hits / support }),
    ...(called + support > 0 && { f1: (2 * hits) / (called + support) }),
  };
}

/** How many classes are more probable than the true one; of equal ones, those that come first count. */
function rankOfLabel({ label, probabilities }: Decision): number {
  const own = probabilities[label]!;
  return probabilities.filter((p, k) => p > own || (p === own && k < label)).length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
