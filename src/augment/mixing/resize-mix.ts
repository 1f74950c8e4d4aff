import { resizedCrop } from '../../images/crops.ts';
import { mixingParameters, type Mixer } from './mixer.ts';

/** ResizeMix (Qin et al. 2020, arXiv:2012.11101): another image, whole and made smaller, pasted over this one. */
export const resizeMix: Mixer = {
  level: 'batch',
  name: 'resizemix',
  about: 'Another image, made smaller, pasted over this one; labels mixed by area',
  parameters: {
    low: { kind: 'number', about: 'least side of the pasted image, as a share', min: 0.01, max: 1, default: 0.1 },
    high: { kind: 'number', about: 'largest side of it', min: 0.01, max: 1, default: 0.8 },
    ...mixingParameters,
  },
  sequences: 'none',
  texts: false,
  check({ arguments: { low, high } }, problem) {
    if ((low as number) > (high as number)) throw problem(`low must not be above high, got ${low} and ${high}.`);
  },
  images: () => 2,
  ratio: ({ low, high }, stream) => [(low as number) + ((high as number) - (low as number)) * stream.uniform()],
  mix([scale], [own, other], stream, into) {
    const { width, height } = own!;
    const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale!))) as [number, number];
    const left = stream.integer(width - w + 1);
    const top = stream.integer(height - h + 1);
    const small = new Uint8Array(w * h * 3);
    resizedCrop(other!.data, width, { left: 0, top: 0, width, height }, [h, w], false, small);
    for (let y = 0; y < h; y++) into.set(small.subarray(y * w * 3, (y + 1) * w * 3), ((top + y) * width + left) * 3);
    const share = (w * h) / (width * height);
    return [1 - share, share];
  },
};
