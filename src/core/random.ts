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
  /** Fills an array with random bits, 32 a word: where many are needed at once. */
  fillWords(words: Int32Array): void;
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
  const fillWords = (words: Int32Array): void => {
    // Copies: the engine keeps these in registers, not what a closure shares.
    let p = a;
    let q = b;
    let r = c;
    let s = d;
    for (let i = 0; i < words.length; i++) {
      words[i] = Math.imul(rotateLeft(Math.imul(q, 5), 7), 9);
      const t = q << 9;
      r ^= p;
      s ^= q;
      q ^= r;
      p ^= s;
      r ^= t;
      s = rotateLeft(s, 11);
    }
    a = p;
    b = q;
    c = r;
    d = s;
  };
  const word = new Int32Array(1);
  const next = (): number => {
    fillWords(word);
    return word[0]!;
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
    fillWords,
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
