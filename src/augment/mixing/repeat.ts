import type { BatchElement } from '../element.ts';

/**
 * Repeated augmentation (Hoffer et al. 2020, arXiv:1901.09335; Berman et al. 2019, arXiv:1902.05509): each image stands
 * several times in a batch, varied anew each time. An epoch keeps its number of steps and sees fewer images.
 */
export const repeat: BatchElement = {
  level: 'batch',
  name: 'repeat',
  about: 'Each image several times in a batch, varied anew each time',
  parameters: {
    times: { kind: 'number', about: 'how many times', min: 1, max: 64, integer: true, default: 3 },
  },
  sequences: 'none',
  texts: false,
};
