import type { Size } from '../images/pixels.ts';
import { invert, type Matrix3 } from '../images/matrix.ts';
import type { Drawn } from './parameters.ts';
import type { Sampling, Warp } from './step.ts';

/** What stands where the image does not reach. */
export const fillParameter = {
  fill: {
    kind: 'fill',
    about: 'what stands where the image does not reach: #rrggbb, 0..255, mean, reflect (edge pixels repeated) or edge',
    words: ['mean', 'reflect', 'edge'],
    default: [0, 0, 0],
  },
} as const;

/** How values are found, for what never leaves the image. */
export const interpolationParameters = {
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
} as const;

/** What every operation of geometry can be told about sampling. */
export const samplingParameters = { ...interpolationParameters, ...fillParameter } as const;

export function samplingOf({ interpolation, antialias, fill }: Drawn<typeof samplingParameters>): Sampling {
  return { interpolation, antialias: antialias === 'on', fill };
}

/** For crops of whole pixels, where nothing lies between. */
export function copying(fill: Sampling['fill'] = 'edge'): Sampling {
  return { interpolation: 'nearest', antialias: false, fill };
}

/** @param forward from a point of the source to one of the result */
export function warpBy(forward: Matrix3, { width, height }: Size, sampling: Sampling): Warp {
  return { kind: 'warp', size: { width, height }, matrix: invert(forward), ...sampling };
}
