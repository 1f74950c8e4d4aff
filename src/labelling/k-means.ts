import type { RandomStream } from '../core/random.ts';

export interface Clusters {
  /** [N] the cluster of each row, 0..k - 1. */
  readonly assigned: Int32Array;
  /** [k, D] */
  readonly centres: Float64Array;
}

/** Passes at most; clusters that hardly move any more need none. */
const PASSES = 25;

/**
 * k-means by Lloyd's passes from the seeds of k-means++ (Arthur and Vassilvitskii 2007, section 2.2). A cluster that loses all its rows
 * keeps its centre.
 * @param rows [N, D], finite
 * @param k 1 to N
 * @throws RangeError where sizes disagree
 */
export function kMeans(rows: Float64Array, width: number, k: number, stream: RandomStream): Clusters {
  const count = rows.length / width;
  if (!Number.isInteger(count) || !Number.isInteger(k) || k < 1 || k > count)
    throw new RangeError(`Of [N, ${width}] rows, ${rows.length} numbers, expected 1 to N clusters, got ${k}.`);
  const centres = seeds(rows, width, k, stream);
  const assigned = new Int32Array(count).fill(-1);
  for (let pass = 0; pass < PASSES; pass++) {
    let moved = 0;
    for (let i = 0; i < count; i++) {
      let [best, least] = [0, Infinity];
      for (let c = 0; c < k; c++) {
        const distance = squaredDistance(rows, i * width, centres, c * width, width, least);
        if (distance < least) [best, least] = [c, distance];
      }
      if (assigned[i] !== best) moved++;
      assigned[i] = best;
    }
    if (moved === 0) break;
    const sums = new Float64Array(k * width);
    const sizes = new Float64Array(k);
    for (const [i, c] of assigned.entries()) {
      sizes[c]!++;
      for (let f = 0; f < width; f++) sums[c * width + f]! += rows[i * width + f]!;
    }
    for (let c = 0; c < k; c++)
      if (sizes[c]! > 0) for (let f = 0; f < width; f++) centres[c * width + f] = sums[c * width + f]! / sizes[c]!;
  }
  return { assigned, centres };
}

/** Rows drawn one after the other, each by its squared distance to the nearest drawn before. */
function seeds(rows: Float64Array, width: number, k: number, stream: RandomStream): Float64Array {
  const count = rows.length / width;
  const centres = new Float64Array(k * width);
  const nearest = new Float64Array(count).fill(Infinity);
  let drawn = stream.integer(count);
  for (let c = 0; c < k; c++) {
    centres.set(rows.subarray(drawn * width, (drawn + 1) * width), c * width);
    let total = 0;
    for (let i = 0; i < count; i++) {
      nearest[i] = Math.min(nearest[i]!, squaredDistance(rows, i * width, centres, c * width, width));
      total += nearest[i]!;
    }
    let left = stream.uniform() * total;
    drawn = count - 1;
    for (let i = 0; i < count; i++) {
      left -= nearest[i]!;
      if (left < 0) {
        drawn = i;
        break;
      }
    }
  }
  return centres;
}

/** Stops adding once it is over `enough`. */
export function squaredDistance(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  width: number,
  enough = Infinity,
): number {
  let sum = 0;
  for (let f = 0; f < width && sum < enough; f++) sum += (a[atA + f]! - b[atB + f]!) ** 2;
  return sum;
}
