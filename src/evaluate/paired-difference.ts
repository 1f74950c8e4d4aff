import { randomStream } from '../core/random.ts';
import { bootstrapInterval } from './bootstrap.ts';

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
  const interval = bootstrapInterval(meanOf, [differences], randomStream('paired difference', n), RESAMPLES);
  return { mean: meanOf(differences), interval };
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
