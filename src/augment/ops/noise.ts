import type { Pixels } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed, NORMAL_MASK, NORMALS, randomWords, type GrainSeed } from '../random-words.ts';
import { reused } from '../reused.ts';

/** Adds normally distributed numbers, each value of each channel its own. */
export const noise = operation({
  name: 'noise',
  about: 'Gaussian noise, in each channel by itself',
  group: 'noise',
  parameters: {
    stddev: {
      kind: 'range',
      about: 'standard deviation in grey levels',
      min: 0,
      max: 255,
      identity: 0,
      single: 'from identity',
      default: [2, 15],
    },
  },
  probability: 0.5,
  steps: ({ stddev }, { stream }) => {
    const seed = drawGrainSeed(stream);
    return [{ kind: 'filter', run: (image) => addNoise(image, stddev, seed) }];
  },
  strength: { signed: false, at: (level) => ({ stddev: 50 * level }) },
});

function addNoise(image: Pixels, stddev: number, seed: GrainSeed): Pixels {
  const { data } = image;
  addSteps(data, wholeSteps(stddev), randomWords(seed, (data.length + 1) >> 1));
  return image;
}

const memory = reused((length) => new Int16Array(length));

/** Values are whole numbers, so that the noise may be rounded before it is added. */
function wholeSteps(stddev: number): Int16Array {
  const steps = memory(NORMALS.length);
  for (let i = 0; i < NORMALS.length; i++) steps[i] = Math.round(NORMALS[i]! * stddev);
  return steps;
}

/** Two values a word. */
function addSteps(data: Uint8Array, steps: Int16Array, words: Int32Array): void {
  for (let at = 0; at < data.length; at++) {
    const word = words[at >> 1]!;
    const value = data[at]! + steps[(at & 1 ? word >>> 16 : word) & NORMAL_MASK]!;
    data[at] = value < 0 ? 0 : value > 255 ? 255 : value;
  }
}
