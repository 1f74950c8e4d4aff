import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/** Multiplies all channels (Pillow's `ImageEnhance.Brightness`, torchvision's `adjust_brightness`). */
export const brightness = operation({
  name: 'brightness',
  about: 'Darker or brighter: all channels times a factor',
  group: 'colour',
  parameters: {
    factor: {
      kind: 'range',
      about: 'factor; 0 is black',
      min: 0,
      max: 10,
      identity: 1,
      single: 'around',
      default: [0.8, 1.2],
    },
  },
  probability: 1,
  steps: ({ factor }) => [
    { kind: 'point', needs: 'nothing', make: () => ({ table: sameTable((value) => value * factor) }) },
  ],
  // torchvision's RandAugment: 0.1 to 1.9 at the strongest.
  strength: { signed: true, at: (level, sign) => ({ factor: 1 + sign * 0.9 * level }) },
});
