import { operation } from '../operation.ts';

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
  steps: ({ factor }) => {
    if (factor === 1) return [];
    return [
      {
        kind: 'kernel',
        run: (image, kernels) => {
          const result = kernels.buffer(image, image);
          kernels.sharpen(image, factor, result);
          return result;
        },
      },
    ];
  },
  strength: { signed: true, at: (level, sign) => ({ factor: 1 + sign * 0.9 * level }) },
});
