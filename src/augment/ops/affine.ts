import type { Size } from '../../images/pixels.ts';
import { aboutCentre, multiply, rotation, scaling, shearing, translation, type Matrix3 } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import type { RangeParameter } from '../parameters.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/** torchvision's `RandomAffine`: slanted, scaled, turned about the centre, then shifted. Angles are clockwise, unlike `rotate`'s. */
export const affine = operation({
  name: 'affine',
  about: 'Slanted, scaled, turned about the centre and shifted at once',
  group: 'geometry',
  parameters: {
    angle: around(0, 360, 10, 'degrees, clockwise as one sees it'),
    translatex: around(0, 1, 0.1, 'share of the width, to the right'),
    translatey: around(0, 1, 0.1, 'share of the height, downwards'),
    scale: {
      kind: 'range',
      about: 'factor of both sides; over 1 is larger',
      min: 0.1,
      max: 10,
      identity: 1,
      single: 'around',
      scale: 'logarithmic',
      default: [0.9, 1.1],
    },
    shearx: around(0, 80, 0, 'degrees that the vertical leans to the left'),
    sheary: around(0, 80, 0, 'degrees that the horizontal rises to the right'),
    ...samplingParameters,
  },
  probability: 1,
  risk: 'turned',
  steps: ({ angle, translatex, translatey, scale, shearx, sheary, ...sampling }, { image }) => [
    warpBy(affineMap(image, angle, [translatex, translatey], scale, [shearx, sheary]), image, samplingOf(sampling)),
  ],
});

function affineMap(
  size: Size,
  angle: number,
  [tx, ty]: readonly [number, number],
  scale: number,
  [shearX, shearY]: readonly [number, number],
): Matrix3 {
  const tangent = (degrees: number): number => Math.tan((degrees * Math.PI) / 180);
  const slanted = multiply(shearing(0, -tangent(shearY)), shearing(-tangent(shearX), 0));
  const turned = multiply(rotation(-angle), multiply(scaling(scale, scale), slanted));
  return multiply(translation(tx * size.width, ty * size.height), aboutCentre(turned, size));
}

function around<const D extends number>(identity: D, reach: number, usual: number, about: string) {
  return {
    kind: 'range',
    about,
    min: -reach,
    max: reach,
    identity,
    single: 'around',
    default: [-usual, usual],
  } as const satisfies RangeParameter;
}
