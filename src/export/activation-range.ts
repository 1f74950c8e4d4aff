/** Where the values of an activation lie, and what of that 8 bits should cover. */

/** Counts of values in `BINS` bins of equal width over [min, max]. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: Float64Array;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export const BINS = 2048;

/**
 * How a range is chosen from a histogram:
 * `minmax` covers everything seen; `percentile` leaves out one value in 10,000 at each end; `mse` takes
 * the range with the smallest mean squared error after rounding (Choukroun et al., 2019).
 */
export const RANGE_METHODS = ['minmax', 'percentile', 'mse'] as const;
export type RangeMethod = (typeof RANGE_METHODS)[number];

const LEVELS = 256;
const TAIL = 1e-4;
/** Ranges tried between a fifth of what was seen and all of it. */
const CANDIDATES = 40;

export function emptyHistogram({ min, max }: Range): Histogram {
  return { min, max, counts: new Float64Array(BINS) };
}

/** Adds values; what is out of the histogram's range counts at its end. */
export function addToHistogram({ min, max, counts }: Histogram, values: Float32Array): void {
  const scale = max > min ? BINS / (max - min) : 0;
  const last = BINS - 1;
  for (let i = 0; i < values.length; i++) {
    const bin = ((values[i]! - min) * scale) | 0;
    counts[bin < 0 ? 0 : bin > last ? last : bin]!++;
  }
}

/** The range that 8 bits cover; it holds 0, so that padding is exact. */
export function chooseRange(histogram: Histogram, method: RangeMethod): Range {
  const { min, max } = histogram;
  if (method === 'minmax' || !(max > min)) return withZero(min, max);
  if (method === 'percentile') return percentileRange(histogram);
  let best = withZero(min, max);
  let bestLoss = Number.POSITIVE_INFINITY;
  for (let i = 0; i < CANDIDATES; i++) {
    const share = 1 - (0.8 * i) / CANDIDATES;
    const range = withZero(min * share, max * share);
    const value = roundingError(histogram, range);
    if (value < bestLoss) [best, bestLoss] = [range, value];
  }
  return best;
}

function withZero(min: number, max: number): Range {
  return { min: Math.min(0, min), max: Math.max(0, max) };
}

function percentileRange({ min, max, counts }: Histogram): Range {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = (max - min) / BINS;
  let low = 0;
  for (let seen = counts[0]!; seen <= total * TAIL && low < BINS - 1; seen += counts[++low]!);
  let high = BINS - 1;
  for (let seen = counts[high]!; seen <= total * TAIL && high > low; seen += counts[--high]!);
  return withZero(min + low * width, min + (high + 1) * width);
}

/** Sum of squared distances between values and what 8 bits make of them. */
function roundingError({ min, max, counts }: Histogram, range: Range): number {
  const width = (max - min) / BINS;
  const step = (range.max - range.min) / (LEVELS - 1);
  // Within a bin values are spread evenly: rounding costs step² / 12 where the step is wider than the bin.
  const rounding = step ** 2 / 12;
  let sum = 0;
  for (let i = 0; i < BINS; i++) {
    if (counts[i] === 0) continue;
    const value = min + (i + 0.5) * width;
    const beyond = value < range.min ? range.min - value : value > range.max ? value - range.max : 0;
    sum += counts[i]! * (beyond ** 2 + rounding);
  }
  return sum;
}
