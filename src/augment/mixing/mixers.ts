import { cutMix } from './cut-mix.ts';
import type { Mixer } from './mixer.ts';
import { mixUp } from './mix-up.ts';
import { mosaic } from './mosaic.ts';
import { resizeMix } from './resize-mix.ts';
import { ricap } from './ricap.ts';

/** Every way of mixing images, by name. */
export const MIXERS: ReadonlyMap<string, Mixer> = new Map(
  [cutMix, mixUp, resizeMix, ricap, mosaic].map((mixer) => [mixer.name, mixer]),
);
