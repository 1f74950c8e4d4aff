import type { Decision } from './predictions.ts';

/** Rows of similar confidence. */
export interface ReliabilityBin {
  readonly count: number;
  /** Mean probability of what was predicted. */
  readonly confidence: number;
  /** Share of rows that are right. */
  readonly accuracy: number;
}

export interface CalibrationMetrics {
  /** Mean -log of the probability of the true class, in nats. */
  readonly nll: number;
  /** Mean squared distance between the probabilities and the truth, 0..2, summed over classes (Brier, 1950). */
  readonly brier: number;
  /**
   * Expected calibration error: the mean gap between confidence and accuracy, 0..1, over 15 bins of equally
   * many rows. Bins of equal width leave most of a small set in one of them, and are biased more
   * (Roelofs et al., 2022, "Mitigating bias in calibration error estimation").
   */
  readonly calibrationError: number;
  /** The same over 15 bins of equal width (Guo et al., 2017, eq. 5), to compare with published figures. */
  readonly calibrationErrorEqualWidth: number;
  /** The bins of `calibrationError`, by rising confidence. */
  readonly reliability: readonly ReliabilityBin[];
}

const BINS = 15;

export function calibrationMetrics(rows: readonly Decision[]): CalibrationMetrics {
  const reliability = equalMassBins(rows, BINS);
  return {
    nll: meanOf(rows, ({ nll }) => nll),
    brier: meanOf(rows, ({ probabilities, label }) =>
      probabilities.reduce((sum, p, k) => sum + (p - (k === label ? 1 : 0)) ** 2, 0),
    ),
    calibrationError: expectedGap(reliability),
    calibrationErrorEqualWidth: expectedGap(equalWidthBins(rows, BINS)),
    reliability,
  };
}

/** Rows of the same confidence stay in one bin, so that the order of the rows means nothing. */
function equalMassBins(rows: readonly Decision[], bins: number): ReliabilityBin[] {
  const sorted = rows.toSorted((a, b) => a.confidence - b.confidence);
  const result: ReliabilityBin[] = [];
  let start = 0;
  for (let bin = 1; bin <= bins; bin++) {
    let end = Math.round((bin * sorted.length) / bins);
    if (end <= start) continue;
    while (end < sorted.length && sorted[end]!.confidence === sorted[end - 1]!.confidence) end++;
    result.push(binOf(sorted.slice(start, end)));
    start = end;
  }
  return result;
}

/** (0, 1/B], (1/B, 2/B], ...; empty bins are left out. */
function equalWidthBins(rows: readonly Decision[], bins: number): ReliabilityBin[] {
  const groups: Decision[][] = Array.from({ length: bins }, () => []);
  for (const row of rows) groups[Math.max(0, Math.ceil(row.confidence * bins) - 1)]!.push(row);
  return groups.filter((group) => group.length > 0).map(binOf);
}

function binOf(rows: readonly Decision[]): ReliabilityBin {
  return {
    count: rows.length,
    confidence: meanOf(rows, ({ confidence }) => confidence),
    accuracy: meanOf(rows, ({ label, predicted }) => Number(label === predicted)),
  };
}

function expectedGap(bins: readonly ReliabilityBin[]): number {
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce(
    (sum, { count, confidence, accuracy }) => sum + (count / total) * Math.abs(confidence - accuracy),
    0,
  );
}

function meanOf<T>(rows: readonly T[], value: (row: T) => number): number {
  return rows.reduce((sum, row) => sum + value(row), 0) / rows.length;
}
