import { operation } from '../operation.ts';
import { saturationMatrix } from '../saturation-matrix.ts';

/** Away from or towards each pixel's luma (Pillow's `ImageEnhance.Color`, torchvision's `adjust_saturation`). */
export const saturation = operation({
  name: 'saturation',
  about: "Paler or stronger colours: the distance to each pixel's grey times a factor",
  group: 'colour',
  parameters: {
    factor: {
      kind: 'range',
      about: 'factor; 0 is grey',
      min: 0,
      max: 10,
      identity: 1,
      single: 'around',
      default: [0.8, 1.2],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: ({ factor }) => [{ kind: 'point', needs: 'nothing', make: () => ({ matrix: saturationMatrix(factor) }) }],
  strength: { signed: true, at: (level, sign) => ({ factor: 1 + sign * 0.9 * level }) },
});
