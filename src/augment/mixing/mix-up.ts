import { beta } from '../distributions.ts';
import { mixingParameters, type Mixer } from './mixer.ts';

/** MixUp (Zhang et al. 2018, arXiv:1710.09412): a weighted mean of two images and of their labels. */
export const mixUp: Mixer = {
  level: 'batch',
  name: 'mixup',
  about: 'A weighted mean of two images; labels mixed by weight',
  parameters: {
    alpha: {
      kind: 'number',
      about: 'of Beta(alpha, alpha), the weight of this image',
      min: 1e-3,
      max: 100,
      default: 0.2,
    },
    ...mixingParameters,
  },
  sequences: 'none',
  texts: false,
  images: () => 2,
  ratio: ({ alpha }, stream) => [beta(alpha as number, alpha as number, stream)],
  mix([share], [own, other], _stream, into) {
    // In 65,536ths, so that the label has exactly the share of the pixels.
    const weight = Math.round(share! * 65536);
    const [a, b] = [own!.data, other!.data];
    for (let i = 0; i < into.length; i++) into[i] = (a[i]! * weight + b[i]! * (65536 - weight) + 32768) >>> 16;
    return [weight / 65536, 1 - weight / 65536];
  },
};
