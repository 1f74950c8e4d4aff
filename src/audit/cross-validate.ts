import { randomStream, shuffled } from '../core/random.ts';
import { wilsonInterval } from '../evaluate/interval.ts';
import type { Estimate } from './finding.ts';

const FOLDS = 5;

/** Learns from rows; what it gives names the class of a row. */
export type Fit<Row> = (rows: readonly Row[], labels: readonly number[]) => (row: Row) => number;

export interface CrossValidation {
  /**
   * Mean over the classes of the share of their images that is recognised by what was learnt without them: 1 / classes
   * by chance, however uneven the classes are. The interval is Wilson's for as many images as there are.
   */
  readonly accuracy: Required<Estimate>;
  /** What each row was taken for. */
  readonly predicted: readonly number[];
}

/**
 * Five folds, each class spread evenly over them. Images of one group (copies of one another) stay together.
 * @param labels of the rows, 0..classes - 1; each class needs at least as many images as there are folds
 */
export function crossValidate<Row>(
  rows: readonly Row[],
  labels: readonly number[],
  classes: number,
  groups: readonly number[],
  fit: Fit<Row>,
  seed: number,
): CrossValidation {
  const folds = foldsOf(labels, groups, seed);
  const predicted = rows.map(() => 0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const learnt = [...rows.keys()].filter((i) => folds[i] !== fold);
    const predict = fit(
      learnt.map((i) => rows[i]!),
      learnt.map((i) => labels[i]!),
    );
    for (const [i, row] of rows.entries()) if (folds[i] === fold) predicted[i] = predict(row);
  }
  return { accuracy: balancedAccuracy(labels, predicted, classes), predicted };
}

/** The mean over the classes of the share that is right. */
export function balancedAccuracy(
  labels: readonly number[],
  predicted: readonly number[],
  classes: number,
): Required<Estimate> {
  const [counts, right] = [new Float64Array(classes), new Float64Array(classes)];
  for (const [i, label] of labels.entries()) {
    counts[label]!++;
    if (predicted[i] === label) right[label]!++;
  }
  const value = right.reduce((sum, count, c) => sum + count / counts[c]!, 0) / classes;
  // As many images as an even set with the same variance of the mean would have.
  const n = classes ** 2 / counts.reduce((sum, count) => sum + 1 / count, 0);
  return { value, interval: wilsonInterval(value * n, n) };
}

/** Of each row. A group goes where its first member goes. */
function foldsOf(labels: readonly number[], groups: readonly number[], seed: number): number[] {
  const order = shuffled([...labels.keys()], randomStream(seed, 'audit', 'folds'));
  const ofGroup = new Map<number, number>();
  const next = new Map<number, number>();
  const folds = labels.map(() => 0);
  for (const i of order) {
    const label = labels[i]!;
    let fold = ofGroup.get(groups[i]!);
    if (fold === undefined) {
      fold = next.get(label) ?? label % FOLDS;
      next.set(label, (fold + 1) % FOLDS);
      ofGroup.set(groups[i]!, fold);
    }
    folds[i] = fold;
  }
  return folds;
}
