// Cells of several arms and seeds as rows: an arm's mean and spread, and its paired differences to a named arm.
import { deviation, mean, pairedInterval } from './statistics.mjs';

/**
 * @param cells { arm, seed, ... }
 * @param metrics names of the cells' fields
 * @param base the arm that the others are compared with
 * @returns a row an arm and metric: { arm, metric, runs, mean, deviation, seconds, images, gain: { mean, interval, n }? }
 */
export function armRows(cells, metrics, base) {
  const arms = [...new Set(cells.map(({ arm }) => arm))];
  const of = (arm) => cells.filter((cell) => cell.arm === arm);
  return arms.flatMap((arm) =>
    metrics
      .filter((metric) => of(arm).every((cell) => Number.isFinite(cell[metric])))
      .map((metric) => {
        const own = of(arm);
        const values = own.map((cell) => cell[metric]);
        return {
          arm,
          metric,
          runs: values.length,
          mean: mean(values),
          deviation: deviation(values),
          trainingSeconds: mean(own.map((cell) => cell.trainingSeconds)),
          images: mean(own.map((cell) => cell.images)),
          gain: arm === base || of(base).length === 0 ? undefined : pairedInterval(differences(own, of(base), metric)),
        };
      }),
  );
}

/** Of a metric, seed by seed where both arms have it. */
export function differences(cells, others, metric) {
  return cells.flatMap((cell) => {
    const other = others.find(({ seed }) => seed === cell.seed);
    return other === undefined ? [] : [cell[metric] - other[metric]];
  });
}
