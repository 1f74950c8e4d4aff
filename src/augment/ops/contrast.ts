import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/** Away from or towards the image's mean luma (Pillow's `ImageEnhance.Contrast`, torchvision's `adjust_contrast`). */
export const contrast = operation({
  name: 'contrast',
  about: "Less or more contrast: the distance to the image's mean grey times a factor",
  group: 'colour',
  parameters: {
    factor: {
      kind: 'range',
      about: 'factor; 0 is grey all over',
      min: 0,
      max: 10,
      identity: 1,
      single: 'around',
      default: [0.8, 1.2],
    },
  },
  probability: 1,
  steps: ({ factor }) => [
    {
      kind: 'point',
      needs: 'grey mean',
      make: (mean) => ({ table: sameTable((value) => mean + (value - mean) * factor) }),
    },
  ],
  strength: { signed: true, at: (level, sign) => ({ factor: 1 + sign * 0.9 * level }) },
});
