import type { Pixels } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed, randomWords, type GrainSeed } from '../random-words.ts';

/** Makes some pixels white and as many black. With the same draw, a greater share holds all pixels of a smaller one. */
export const saltPepper = operation({
  name: 'saltpepper',
  about: 'Dead pixels: some white, as many black',
  group: 'noise',
  parameters: {
    share: {
      kind: 'range',
      about: 'share of the pixels',
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.002, 0.03],
    },
  },
  probability: 0.5,
  steps: ({ share }, { stream }) => {
    const seed = drawGrainSeed(stream);
    return [{ kind: 'filter', run: (image) => addSaltAndPepper(image, share, seed) }];
  },
  strength: { signed: false, at: (level) => ({ share: 0.25 * level }) },
});

function addSaltAndPepper(image: Pixels, share: number, seed: GrainSeed): Pixels {
  const { data } = image;
  const words = randomWords(seed, data.length / 3);
  const pepper = share * 2 ** 31;
  const salt = 2 ** 32 - pepper;
  for (let i = 0, at = 0; i < words.length; i++, at += 3) {
    const word = words[i]!;
    if (word < pepper) data[at] = data[at + 1] = data[at + 2] = 0;
    else if (word >= salt) data[at] = data[at + 1] = data[at + 2] = 255;
  }
  return image;
}
