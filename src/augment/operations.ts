import type { Operation } from './operation.ts';
import { autocontrast } from './ops/autocontrast.ts';
import { blur } from './ops/blur.ts';
import { brightness } from './ops/brightness.ts';
import { channelShuffle } from './ops/channelshuffle.ts';
import { clahe } from './ops/clahe.ts';
import { colorJitter } from './ops/colorjitter.ts';
import { contrast } from './ops/contrast.ts';
import { cutout } from './ops/cutout.ts';
import { downscale } from './ops/downscale.ts';
import { equalize } from './ops/equalize.ts';
import { erase } from './ops/erase.ts';
import { fog } from './ops/fog.ts';
import { gamma } from './ops/gamma.ts';
import { grayscale } from './ops/grayscale.ts';
import { gridMask } from './ops/gridmask.ts';
import { hue } from './ops/hue.ts';
import { invert } from './ops/invert.ts';
import { isoNoise } from './ops/isonoise.ts';
import { jpeg } from './ops/jpeg.ts';
import { lighting } from './ops/lighting.ts';
import { motionBlur } from './ops/motionblur.ts';
import { noise } from './ops/noise.ts';
import { posterize } from './ops/posterize.ts';
import { rgbShift } from './ops/rgbshift.ts';
import { rotate } from './ops/rotate.ts';
import { saltPepper } from './ops/saltpepper.ts';
import { saturation } from './ops/saturation.ts';
import { shadow } from './ops/shadow.ts';
import { sharpness } from './ops/sharpness.ts';
import { solarize } from './ops/solarize.ts';
import { sunFlare } from './ops/sunflare.ts';
import { temperature } from './ops/temperature.ts';

/** Every operation that a policy can name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [
    brightness,
    contrast,
    saturation,
    hue,
    gamma,
    colorJitter,
    grayscale,
    invert,
    solarize,
    posterize,
    equalize,
    autocontrast,
    clahe,
    temperature,
    channelShuffle,
    rgbShift,
    lighting,
    sharpness,
    blur,
    motionBlur,
    downscale,
    noise,
    isoNoise,
    saltPepper,
    jpeg,
    fog,
    shadow,
    sunFlare,
    rotate,
    erase,
    cutout,
    gridMask,
  ].map((operation) => [operation.name, operation]),
);
