import type { Pixels } from '../../images/pixels.ts';
import { operation } from '../operation.ts';
import { reused } from '../reused.ts';

/**
 * Away from or towards a smoothed image (Pillow's `ImageEnhance.Sharpness`, torchvision's `adjust_sharpness`): the mean of 3 by 3 pixels in which
 * the middle one counts five times. The outermost pixels stay.
 */
export const sharpness = operation({
  name: 'sharpness',
  about: 'Softer or sharper: the distance to a smoothed image times a factor',
  group: 'blur',
  parameters: {
    factor: {
      kind: 'range',
      about: 'factor; 0 is smoothed',
      min: 0,
      max: 10,
      identity: 1,
      single: 'around',
      default: [0.5, 1.5],
    },
  },
  probability: 1,
  steps: ({ factor }) => (factor === 1 ? [] : [{ kind: 'filter', run: (image) => sharpen(image, factor) }]),
  strength: { signed: true, at: (level, sign) => ({ factor: 1 + sign * 0.9 * level }) },
});

const rows = reused((length) => new Int32Array(length));

function sharpen(image: Pixels, factor: number): Pixels {
  const { width, height, data } = image;
  const stride = width * 3;
  // Of three rows, of which the upper is already written over when its turn comes.
  const memory = rows(3 * stride);
  const [columns, above, here] = [0, 1, 2].map((i) => memory.subarray(i * stride, (i + 1) * stride)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  above.set(data.subarray(0, stride));
  for (let y = 1; y < height - 1; y++) {
    const start = y * stride;
    for (let i = 0, at = start; i < stride; i++, at++) {
      const value = data[at]!;
      here[i] = value;
      columns[i] = above[i]! + value + data[at + stride]!;
      above[i] = value;
    }
    for (let i = 3, at = start + 3; i < stride - 3; i++, at++) {
      const value = here[i]!;
      const sum = columns[i - 3]! + columns[i]! + columns[i + 3]! + 4 * value;
      const smooth = ((2 * sum + 13) / 26) | 0;
      const result = smooth + factor * (value - smooth) + 0.5;
      data[at] = result <= 0 ? 0 : result >= 255 ? 255 : result;
    }
  }
  return image;
}
