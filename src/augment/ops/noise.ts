import type { Pixels } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed, NORMAL_MASK, NORMALS, randomWords, type GrainSeed } from '../random-words.ts';

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
  // Values are whole numbers, so that the noise may be rounded before it is added.
  const steps = Int16Array.from(NORMALS, (value) => Math.round(value * stddev));
  const words = randomWords(seed, (data.length + 1) >> 1);
  for (let i = 0, at = 0; i < words.length; i++, at += 2) {
    const word = words[i]!;
    const one = data[at]! + steps[word & NORMAL_MASK]!;
    data[at] = one < 0 ? 0 : one > 255 ? 255 : one;
    if (at + 1 === data.length) break;
    const two = data[at + 1]! + steps[(word >>> 16) & NORMAL_MASK]!;
    data[at + 1] = two < 0 ? 0 : two > 255 ? 255 : two;
  }
  return image;
}
