import { operation } from '../operation.ts';
import { sameTable } from '../tables.ts';

/** The negative (Pillow's and torchvision's `invert`). It has one strength: `solarize` is its gradual form. */
export const invert = operation({
  name: 'invert',
  about: 'The negative: 255 minus each value',
  group: 'colour',
  parameters: {},
  probability: 0.5,
  risk: 'recoloured',
  steps: () => [{ kind: 'point', needs: 'nothing', make: () => ({ table: sameTable((value) => 255 - value) }) }],
});
