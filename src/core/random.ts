import { createHash } from 'node:crypto';

/**
 * Random numbers keyed by what they are for, never by how many were drawn before: a resumed run
 * needs no generator state. A key is, for instance, (seed, stage, epoch, sample id, purpose).
 */
export interface RandomStream {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in [0, bound). @throws RangeError unless bound is a positive integer. */
  integer(bound: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Fills an array with words of 32 random bits: where many are needed at once. */
  fill(words: Uint32Array): void;
}

/**
 * @example
 * const stream = randomStream(7, 'train', 3, 'cat/1.png', 'crop');
 * const x = stream.uniform();
 */
export function randomStream(...key: readonly (string | number)[]): RandomStream {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest();
  // xoshiro128** (Blackman and Vigna, 2018), seeded from the hash.
  let [a, b, c, d] = [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset)) as [number, number, number, number];
  if ((a | b | c | d) === 0) a = 1;
  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  const uniform = (): number => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  return {
    uniform,
    integer(bound) {
      if (!Number.isSafeInteger(bound) || bound <= 0)
        throw new RangeError(`integer(bound) needs a positive integer, got ${bound}.`);
      return Math.floor(uniform() * bound);
    },
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
    fill(words) {
      for (let i = 0; i < words.length; i++) words[i] = next();
    },
  };
}

/** A new array in an order drawn from `stream` (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], stream: RandomStream): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
