import { randomStream } from '../core/random.ts';

export interface PairedDifference {
  /** Mean of the differences. */
  readonly mean: number;
  /** 95 %, by the bootstrap over images. */
  readonly interval: readonly [low: number, high: number];
}

/** Resamples: enough that the interval's ends stay within a tenth of its width. */
const RESAMPLES = 2000;

/**
 * How much better one way is than another on the same images: the mean difference and its percentile bootstrap
 * interval (Efron and Tibshirani 1993, chapter 13). The same images always give the same interval.
 * @param one score of each image, for instance the share of seeds that were right, 0..1
 * @param other the same images in the same order
 * @throws RangeError where the lists differ in length or are empty
 */
export function pairedDifference(one: readonly number[], other: readonly number[]): PairedDifference {
  const n = one.length;
  if (n === 0 || other.length !== n)
    throw new RangeError(`Paired scores must be of the same images, got ${n} and ${other.length}.`);
  const differences = one.map((value, i) => value - other[i]!);
  const mean = differences.reduce((sum, value) => sum + value, 0) / n;
  const stream = randomStream('paired difference', n);
  const means = new Float64Array(RESAMPLES);
  for (let r = 0; r < RESAMPLES; r++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += differences[stream.integer(n)]!;
    means[r] = sum / n;
  }
  means.sort();
  return { mean, interval: [means[Math.floor(0.025 * RESAMPLES)]!, means[Math.ceil(0.975 * RESAMPLES) - 1]!] };
}
