import { probability } from '../element.ts';
import type { Parameters } from '../parameters.ts';

/** What every policy of drawn operations can be told. */
export const commonParameters = {
  fill: {
    kind: 'fill',
    about: 'what stands where the image does not reach',
    words: ['mean', 'reflect', 'edge'],
    default: 'mean',
  },
  p: probability(1),
} as const satisfies Parameters;
