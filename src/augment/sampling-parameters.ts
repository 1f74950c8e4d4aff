import type { Drawn } from './parameters.ts';
import type { Sampling } from './step.ts';

/** What every operation of geometry can be told about sampling. */
export const samplingParameters = {
  interpolation: {
    kind: 'choice',
    about: 'how values between pixels are found',
    choices: ['nearest', 'bilinear', 'bicubic'],
    default: 'bilinear',
  },
  antialias: {
    kind: 'choice',
    about: 'averages over all pixels of the source where the image shrinks',
    choices: ['on', 'off'],
    default: 'on',
  },
  fill: {
    kind: 'fill',
    about: 'what stands where the image does not reach: #rrggbb, 0..255, mean, reflect or edge',
    words: ['mean', 'reflect', 'edge'],
    default: [0, 0, 0],
  },
} as const;

export function samplingOf({ interpolation, antialias, fill }: Drawn<typeof samplingParameters>): Sampling {
  return { interpolation, antialias: antialias === 'on', fill };
}
