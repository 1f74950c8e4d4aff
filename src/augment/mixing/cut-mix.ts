import { beta } from '../distributions.ts';
import { boxAnywhere, pasteBox } from './box.ts';
import { mixingParameters, type Mixer } from './mixer.ts';

/**
 * CutMix (Yun et al. 2019, arXiv:1905.04899): a box is cut from another image and pasted over this one; labels are mixed
 * by the area that was really pasted, after clipping. With `images` above 2, boxes of further images are pasted one after
 * the other, and each image counts for what is left to be seen of it.
 */
export const cutMix: Mixer = {
  level: 'batch',
  name: 'cutmix',
  about: 'A box of another image pasted over this one; labels mixed by area',
  parameters: {
    alpha: { kind: 'number', about: 'of Beta(alpha, alpha), the share of this image', min: 1e-3, max: 100, default: 1 },
    images: { kind: 'number', about: 'images in a mixed one', min: 2, max: 8, integer: true, default: 2 },
    ...mixingParameters,
  },
  sequences: 'none',
  texts: false,
  images: ({ images }) => images as number,
  ratio: ({ alpha, images }, stream) =>
    Array.from({ length: (images as number) - 1 }, () => beta(alpha as number, alpha as number, stream)),
  mix(ratio, [own, ...others], stream, into) {
    const { width, height } = own!;
    const owners = new Uint8Array(width * height);
    for (const [i, other] of others.entries()) {
      const box = boxAnywhere(own!, 1 - ratio[i]!, stream);
      pasteBox(other.data, width, box, into);
      for (let y = box.top; y < box.top + box.height; y++)
        owners.fill(i + 1, y * width + box.left, y * width + box.left + box.width);
    }
    const counts = Array.from({ length: others.length + 1 }, () => 0);
    for (const owner of owners) counts[owner]!++;
    return counts.map((count) => count / owners.length);
  },
};
