import { beta } from '../distributions.ts';
import { fourParts, sharesOf } from './four-parts.ts';
import { mixingParameters, type Mixer } from './mixer.ts';

/** RICAP (Takahashi et al. 2018, arXiv:1811.09030): random crops of four images around a boundary point. */
export const ricap: Mixer = {
  level: 'batch',
  name: 'ricap',
  about: 'Crops of four images around a point; labels mixed by area',
  parameters: {
    beta: { kind: 'number', about: 'of Beta(beta, beta), the place of the point', min: 1e-3, max: 100, default: 0.3 },
    ...mixingParameters,
  },
  sequences: 'none',
  texts: false,
  images: () => 4,
  ratio: ({ beta: b }, stream) => [beta(b as number, b as number, stream), beta(b as number, b as number, stream)],
  mix(ratio, sources, stream, into) {
    const own = sources[0]!;
    const { width, height } = own;
    const parts = fourParts(own, Math.round(ratio[0]! * width), Math.round(ratio[1]! * height));
    for (const [i, part] of parts.entries()) {
      const left = stream.integer(width - part.width + 1);
      const top = stream.integer(height - part.height + 1);
      for (let y = 0; y < part.height; y++) {
        const from = ((top + y) * width + left) * 3;
        into.set(sources[i]!.data.subarray(from, from + part.width * 3), ((part.top + y) * width + part.left) * 3);
      }
    }
    return sharesOf(parts, own);
  },
};
