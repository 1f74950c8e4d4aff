import { amountParameter } from '../amount.ts';
import { operation } from '../operation.ts';
import { saturationMatrix } from '../saturation-matrix.ts';

/** Each pixel's luma in all channels (Pillow's mode L, torchvision's `rgb_to_grayscale`). */
export const grayscale = operation({
  name: 'grayscale',
  about: 'Without colour',
  group: 'colour',
  parameters: { amount: amountParameter },
  // torchvision's RandomGrayscale.
  probability: 0.1,
  risk: 'recoloured',
  steps: ({ amount }) => [{ kind: 'point', needs: 'nothing', make: () => ({ matrix: saturationMatrix(1 - amount) }) }],
  strength: { signed: false, at: (level) => ({ amount: level }) },
});
