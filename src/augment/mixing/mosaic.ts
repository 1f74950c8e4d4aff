import { resizedCrop } from '../../images/crops.ts';
import { fourParts, sharesOf } from './four-parts.ts';
import { mixingParameters, type Mixer } from './mixer.ts';

/**
 * Mosaic (Bochkovskiy et al. 2020, arXiv:2004.10934, section 3.3), for whole images with one label: four images, each
 * resized to a part of the picture.
 */
export const mosaic: Mixer = {
  level: 'batch',
  name: 'mosaic',
  about: 'Four images side by side, each whole and resized; labels mixed by area',
  parameters: {
    margin: {
      kind: 'number',
      about: 'how near to the border the parts may meet, as a share',
      min: 0,
      max: 0.5,
      default: 0.25,
    },
    ...mixingParameters,
  },
  sequences: 'none',
  texts: false,
  images: () => 4,
  ratio: ({ margin }, stream) => [0, 1].map(() => (margin as number) + (1 - 2 * (margin as number)) * stream.uniform()),
  mix(ratio, sources, _stream, into) {
    const own = sources[0]!;
    const { width, height } = own;
    const parts = fourParts(own, Math.round(ratio[0]! * width), Math.round(ratio[1]! * height));
    for (const [i, part] of parts.entries()) {
      if (part.width === 0 || part.height === 0) continue;
      const small = new Uint8Array(part.width * part.height * 3);
      const whole = { left: 0, top: 0, width, height };
      resizedCrop(sources[i]!.data, width, whole, [part.height, part.width], false, small);
      for (let y = 0; y < part.height; y++)
        into.set(
          small.subarray(y * part.width * 3, (y + 1) * part.width * 3),
          ((part.top + y) * width + part.left) * 3,
        );
    }
    return sharesOf(parts, own);
  },
};
