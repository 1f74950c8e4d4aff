import type { Pixels } from '../../images/pixels.ts';
import { resizedCrop } from '../../images/crops.ts';
import { amountParameter } from '../amount.ts';
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
    amount: amountParameter,
  },
  probability: 0.5,
  steps: ({ scale, amount }) => [{ kind: 'filter', run: (image) => shrinkAndEnlarge(image, scale, amount) }],
  // By its scale alone it would not grow evenly: losing one column costs about as much sharpness as losing a tenth of them.
  strength: { signed: false, at: (level) => ({ scale: 1 - 0.8 * level, amount: level }) },
});

const shrunk = reused((length) => new Uint8Array(length));
const enlarged = reused((length) => new Uint8Array(length));

function shrinkAndEnlarge(image: Pixels, scale: number, amount: number): Pixels {
  const { width, height, data } = image;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (w === width && h === height) return image;
  const [small, large] = [shrunk(w * h * 3), enlarged(data.length)];
  resizedCrop(data, width, { left: 0, top: 0, width, height }, [h, w], false, small);
  resizedCrop(small, w, { left: 0, top: 0, width: w, height: h }, [height, width], false, large);
  if (amount === 1) data.set(large.subarray(0, data.length));
  else for (let i = 0; i < data.length; i++) data[i] = data[i]! + amount * (large[i]! - data[i]!) + 0.5;
  return image;
}
