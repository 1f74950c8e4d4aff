import type { Operation } from './operation.ts';
import { affineMatrix } from './ops/affine-matrix.ts';
import { affine } from './ops/affine.ts';
import { brightness } from './ops/brightness.ts';
import { centerCrop } from './ops/center-crop.ts';
import { contrast } from './ops/contrast.ts';
import { elastic } from './ops/elastic.ts';
import { fiveCrop } from './ops/five-crop.ts';
import { flipVertical } from './ops/flip-vertical.ts';
import { flip } from './ops/flip.ts';
import { opticalDistortion } from './ops/optical-distortion.ts';
import { pad } from './ops/pad.ts';
import { perspective } from './ops/perspective.ts';
import { quarterTurn } from './ops/quarter-turn.ts';
import { randomCrop } from './ops/random-crop.ts';
import { randomResizedCrop } from './ops/random-resized-crop.ts';
import { resize } from './ops/resize.ts';
import { rotate } from './ops/rotate.ts';
import { scale } from './ops/scale.ts';
import { shearX } from './ops/shear-x.ts';
import { shearY } from './ops/shear-y.ts';
import { translateX } from './ops/translate-x.ts';
import { translateY } from './ops/translate-y.ts';

const COLOUR = [brightness, contrast];
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
  [...COLOUR, ...GEOMETRY, ...CROPS].map((operation) => [operation.name, operation]),
);
