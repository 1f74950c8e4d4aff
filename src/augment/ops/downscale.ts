import type { Pixels } from '../../images/pixels.ts';
import { resizedCrop } from '../../images/crops.ts';
import { operation } from '../operation.ts';
import { reused } from '../reused.ts';

/** Shrinks, averaging over what falls together, and enlarges again (both Pillow's BILINEAR). */
export const downscale = operation({
  name: 'downscale',
  about: 'Fewer pixels: shrunk and enlarged again',
  group: 'blur',
  parameters: {
    scale: {
      kind: 'range',
      about: 'sides of the smaller image as a share',
      min: 0.01,
      max: 1,
      identity: 1,
      single: 'from identity',
      default: [0.4, 1],
    },
  },
  probability: 0.5,
  steps: ({ scale }) => [{ kind: 'filter', run: (image) => shrinkAndEnlarge(image, scale) }],
  strength: { signed: false, at: (level) => ({ scale: 1 - 0.8 * level }) },
});

const memory = reused((length) => new Uint8Array(length));

function shrinkAndEnlarge(image: Pixels, scale: number): Pixels {
  const { width, height, data } = image;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (w === width && h === height) return image;
  const small = memory(w * h * 3);
  resizedCrop(data, width, { left: 0, top: 0, width, height }, [h, w], false, small);
  resizedCrop(small, w, { left: 0, top: 0, width: w, height: h }, [height, width], false, data);
  return image;
}
