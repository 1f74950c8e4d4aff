import type { RandomStream } from '../core/random.ts';

/** Of numbers in rising order, by linear interpolation (Hyndman and Fan's type 7, numpy's default). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const below = sorted[low]!;
  return low + 1 < sorted.length ? below + (at - low) * (sorted[low + 1]! - below) : below;
}

/** The middle 95 % of a statistic over samples drawn again with replacement (Efron's percentile bootstrap). */
export function bootstrapInterval(
  statistic: (...samples: Float64Array[]) => number,
  samples: readonly ArrayLike<number>[],
  stream: RandomStream,
  rounds = 300,
): [low: number, high: number] {
  const values = Float64Array.from({ length: rounds }, () =>
    statistic(...samples.map((sample) => resampled(sample, stream).toSorted())),
  ).toSorted();
  return [quantile(values, 0.025), quantile(values, 0.975)];
}

function resampled(sample: ArrayLike<number>, stream: RandomStream): Float64Array {
  return Float64Array.from({ length: sample.length }, () => sample[stream.integer(sample.length)]!);
}
