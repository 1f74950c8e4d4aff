import type { Fit } from './cross-validate.ts';
import { quantile } from '../evaluate/bootstrap.ts';
import { ascending } from './statistics.ts';

const BINS = 8;

/**
 * Naive Bayes on few features, each cut into at most eight bins of equal numbers, with every class as likely: a class may
 * have any set of values of a feature, next to each other or not. A value that is no number is a bin of its own.
 * @param classes how many there are
 */
export function naiveBayes(classes: number): Fit<readonly number[]> {
  return (rows, labels) => {
    const cuts = rows[0]!.map((_, f) => cutsOf(rows.map((row) => row[f]!)));
    const binsOf = (row: readonly number[]): number[] => row.map((value, f) => binOf(value, cuts[f]!));
    // [features][bins, classes], with one image more in every bin (Laplace).
    const counts = cuts.map((own) => new Float64Array((own.length + 2) * classes).fill(1));
    const totals = cuts.map((own) => new Float64Array(classes).fill(own.length + 2));
    for (const [i, row] of rows.entries())
      for (const [f, bin] of binsOf(row).entries()) {
        counts[f]![bin * classes + labels[i]!]!++;
        totals[f]![labels[i]!]!++;
      }
    return (row) => {
      const scores = new Float64Array(classes);
      for (const [f, bin] of binsOf(row).entries())
        for (let c = 0; c < classes; c++) scores[c]! += Math.log(counts[f]![bin * classes + c]! / totals[f]![c]!);
      return scores.indexOf(Math.max(...scores));
    };
  };
}

/** Bounds between bins; each distinct value is a bin where there are few. */
function cutsOf(values: readonly number[]): number[] {
  const sorted = ascending(values);
  const distinct = [...new Set(sorted)];
  if (distinct.length <= BINS) return distinct.slice(1).map((value, i) => (value + distinct[i]!) / 2);
  const cuts = Array.from({ length: BINS - 1 }, (_, i) => quantile(sorted, (i + 1) / BINS));
  return [...new Set(cuts)];
}

function binOf(value: number, cuts: readonly number[]): number {
  if (Number.isNaN(value)) return cuts.length + 1;
  let bin = 0;
  while (bin < cuts.length && value > cuts[bin]!) bin++;
  return bin;
}
