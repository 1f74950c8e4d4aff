import type { Operation } from './operation.ts';
import { affineMatrix } from './ops/affine-matrix.ts';
import { affine } from './ops/affine.ts';
import { autocontrast } from './ops/autocontrast.ts';
import { blur } from './ops/blur.ts';
import { brightness } from './ops/brightness.ts';
import { centerCrop } from './ops/center-crop.ts';
import { channelShuffle } from './ops/channelshuffle.ts';
import { clahe } from './ops/clahe.ts';
import { colorJitter } from './ops/colorjitter.ts';
import { contrast } from './ops/contrast.ts';
import { cutout } from './ops/cutout.ts';
import { downscale } from './ops/downscale.ts';
import { elastic } from './ops/elastic.ts';
import { equalize } from './ops/equalize.ts';
import { erase } from './ops/erase.ts';
import { fiveCrop } from './ops/five-crop.ts';
import { flipVertical } from './ops/flip-vertical.ts';
import { flip } from './ops/flip.ts';
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
import { opticalDistortion } from './ops/optical-distortion.ts';
import { pad } from './ops/pad.ts';
import { perspective } from './ops/perspective.ts';
import { posterize } from './ops/posterize.ts';
import { quarterTurn } from './ops/quarter-turn.ts';
import { randomCrop } from './ops/random-crop.ts';
import { randomResizedCrop } from './ops/random-resized-crop.ts';
import { resize } from './ops/resize.ts';
import { rgbShift } from './ops/rgbshift.ts';
import { rotate } from './ops/rotate.ts';
import { saltPepper } from './ops/saltpepper.ts';
import { saturation } from './ops/saturation.ts';
import { scale } from './ops/scale.ts';
import { shadow } from './ops/shadow.ts';
import { sharpness } from './ops/sharpness.ts';
import { shearX } from './ops/shear-x.ts';
import { shearY } from './ops/shear-y.ts';
import { solarize } from './ops/solarize.ts';
import { sunFlare } from './ops/sunflare.ts';
import { temperature } from './ops/temperature.ts';
import { translateX } from './ops/translate-x.ts';
import { translateY } from './ops/translate-y.ts';

const PIXELS = [
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
  erase,
  cutout,
  gridMask,
];
const GEOMETRY = [
  flip,
  flipVertical,
  quarterTurn,
  rotate,
  translateX,
  translateY,
  scale,
  shearX,
  shearY,
  affine,
  affineMatrix,
  perspective,
  elastic,
  opticalDistortion,
];
const CROPS = [centerCrop, randomCrop, randomResizedCrop, fiveCrop, pad, resize];

/** Every operation that a policy can name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [...PIXELS, ...GEOMETRY, ...CROPS].map((operation) => [operation.name, operation]),
);
