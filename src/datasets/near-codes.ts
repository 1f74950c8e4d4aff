import { randomStream, shuffled } from '../core/random.ts';
import { CODE_LENGTH } from './descriptor-basis.ts';

/**
 * Finds near codes without comparing all with all: a code goes into one bucket of each table by the signs of
 * some of its numbers; a query looks into its own bucket and into those beyond its least certain signs
 * (multi-probe locality-sensitive hashing, Lv et al. 2007).
 */
const TABLES = 4;
/** Codes compared for one image at most: a set of nearly equal frames must not take quadratic time. */
const MOST_COMPARISONS = 20_000;

export interface NearCodes {
  /**
   * Calls `found` with each index whose code lies within `radius` of the query, possibly more than once.
   * Returns the number of comparisons, which stays near `budget`.
   */
  query(
    code: Float32Array,
    at: number,
    radius: number,
    budget: number,
    found: (index: number, squaredDistance: number) => void,
  ): number;
  readonly budget: number;
}

/** @param codes [n, CODE_LENGTH] centred, so that signs split the data evenly */
export function nearCodes(codes: Float32Array): NearCodes {
  const count = codes.length / CODE_LENGTH;
  const bits = Math.max(4, Math.min(18, Math.ceil(Math.log2(Math.max(count, 2))) + 1));
  const tables = Array.from({ length: TABLES }, (_, table) => {
    const numbers = shuffled(
      Array.from({ length: CODE_LENGTH }, (_unused, k) => k),
      randomStream('near-codes', table),
    ).slice(0, bits);
    const keys = new Uint32Array(count);
    for (let i = 0; i < count; i++) keys[i] = keyOf(codes, i * CODE_LENGTH, numbers);
    // Members of all buckets in a row, and where each bucket starts.
    const starts = new Uint32Array(2 ** bits + 1);
    for (const key of keys) starts[key + 1]!++;
    for (let key = 0; key < 2 ** bits; key++) starts[key + 1]! += starts[key]!;
    const next = starts.slice();
    const members = new Uint32Array(count);
    for (let i = 0; i < count; i++) members[next[keys[i]!]!++] = i;
    return { numbers, starts, members };
  });
  return {
    budget: MOST_COMPARISONS,
    query(code, at, radius, budget, found) {
      const limit = radius * radius;
      let compared = 0;
      for (const { numbers, starts, members } of tables) {
        const key = keyOf(code, at, numbers);
        for (const flip of probes(code, at, numbers)) {
          const bucket = key ^ flip;
          const end = Math.min(starts[bucket + 1]!, starts[bucket]! + Math.max(0, budget - compared));
          for (let m = starts[bucket]!; m < end; m++) {
            const index = members[m]!;
            const distance = squaredDistance(code, at, codes, index * CODE_LENGTH, limit);
            if (distance <= limit) found(index, distance);
          }
          compared += end - starts[bucket]!;
          if (compared >= budget) return compared;
        }
      }
      return compared;
    },
  };
}

function keyOf(code: Float32Array, at: number, numbers: readonly number[]): number {
  let key = 0;
  for (let b = 0; b < numbers.length; b++) if (code[at + numbers[b]!]! > 0) key |= 1 << b;
  return key;
}

/** No flip, then the likeliest: each of the two least certain signs, and both. */
function probes(code: Float32Array, at: number, numbers: readonly number[]): readonly number[] {
  let [first, second] = [0, 0];
  let [least, next] = [Infinity, Infinity];
  for (let b = 0; b < numbers.length; b++) {
    const margin = Math.abs(code[at + numbers[b]!]!);
    if (margin < least) {
      [second, next] = [first, least];
      [first, least] = [b, margin];
    } else if (margin < next) [second, next] = [b, margin];
  }
  return [0, 1 << first, 1 << second, (1 << first) | (1 << second)];
}

function squaredDistance(a: Float32Array, i: number, b: Float32Array, j: number, limit: number): number {
  let sum = 0;
  for (let k = 0; k < CODE_LENGTH; k += 8) {
    for (let l = k; l < k + 8; l++) {
      const difference = a[i + l]! - b[j + l]!;
      sum += difference * difference;
    }
    if (sum > limit) return sum;
  }
  return sum;
}
