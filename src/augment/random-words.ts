import { randomStream, type RandomStream } from '../core/random.ts';
import { reused } from './reused.ts';

/** Where the grain of a drawing comes from: a step that is run twice makes the same grain twice. */
export type GrainSeed = number;

export function drawGrainSeed(stream: RandomStream): GrainSeed {
  return stream.integer(2 ** 32);
}

const memory = reused((length) => new Int32Array(length));

/** Words of 32 random bits; valid until the next call. */
export function randomWords(seed: GrainSeed, count: number): Int32Array {
  const words = memory(count).subarray(0, count);
  randomStream('grain', seed).fillWords(words);
  return words;
}

const QUANTILES = 1 << 13;

/** To pick one of `NORMALS` by some bits of a word. */
export const NORMAL_MASK: number = QUANTILES - 1;

/** Equally likely values of the standard normal distribution, its quantiles, rising: -3.84 to 3.84. */
export const NORMALS: Float32Array = normalQuantiles();

function normalQuantiles(): Float32Array {
  const quantiles = new Float32Array(QUANTILES);
  const step = 1 / 4096;
  const density = (x: number): number => Math.exp(-x * x * 0.5) / Math.sqrt(2 * Math.PI);
  // Upwards from the middle, by the distribution's own slope (midpoint rule).
  let x = 0;
  let share = 0.5;
  for (let i = QUANTILES / 2; i < QUANTILES; i++) {
    const wanted = (i + 0.5) / QUANTILES;
    let gain = step * density(x + step / 2);
    while (share + gain < wanted) {
      share += gain;
      x += step;
      gain = step * density(x + step / 2);
    }
    quantiles[i] = x + ((wanted - share) / gain) * step;
    quantiles[QUANTILES - 1 - i] = -quantiles[i]!;
  }
  return quantiles;
}
