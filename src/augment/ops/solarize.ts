import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/** Inverts what is bright (Pillow's and torchvision's `solarize`). */
export const solarize = operation({
  name: 'solarize',
  about: 'The negative of all values from a threshold on',
  group: 'colour',
  parameters: {
    threshold: {
      kind: 'range',
      about: 'grey level; 0 inverts everything',
      min: 0,
      max: 256,
      identity: 256,
      single: 'exactly',
      default: [128, 128],
    },
  },
  probability: 0.5,
  risk: 'recoloured',
  steps: ({ threshold }) => [
    {
      kind: 'point',
      needs: 'nothing',
      make: () => ({ table: sameTable((value) => (value >= threshold ? 255 - value : value)) }),
    },
  ],
  strength: { signed: false, at: (level) => ({ threshold: 256 * (1 - level) }) },
});
