import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/** A power of the stored values (torchvision's `adjust_gamma`). */
export const gamma = operation({
  name: 'gamma',
  about: 'Middle tones darker or brighter, black and white as they are: values (0..1) to a power',
  group: 'colour',
  parameters: {
    exponent: {
      kind: 'range',
      about: 'exponent; under 1 is brighter',
      min: 0.1,
      max: 10,
      identity: 1,
      single: 'around',
      scale: 'logarithmic',
      default: [0.8, 1.25],
    },
  },
  probability: 1,
  steps: ({ exponent }) => [
    {
      kind: 'point',
      needs: 'nothing',
      make: () => ({ table: sameTable((value) => 255 * (value / 255) ** exponent) }),
    },
  ],
  strength: { signed: true, at: (level, sign) => ({ exponent: 3 ** (sign * level) }) },
});
