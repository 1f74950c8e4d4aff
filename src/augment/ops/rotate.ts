import { aboutCentre, invert, type Matrix3 } from '../matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters } from '../sampling-parameters.ts';

/** Turns about the centre; the size stays. */
export const rotate = operation({
  name: 'rotate',
  about: 'Turned about the centre',
  group: 'geometry',
  parameters: {
    angle: {
      kind: 'range',
      about: 'degrees, counter-clockwise as one sees it',
      min: -360,
      max: 360,
      identity: 0,
      single: 'around',
      default: [-15, 15],
    },
    ...samplingParameters,
  },
  probability: 1,
  risk: 'turned',
  steps: ({ angle, ...sampling }, { image }) => {
    const turn = aboutCentre(rotation(angle), image);
    return [{ kind: 'warp', size: image, matrix: invert(turn), ...samplingOf(sampling) }];
  },
  // torchvision's RandAugment: 30 degrees at the strongest.
  strength: { signed: true, at: (level, sign) => ({ angle: sign * 30 * level }) },
});

/** Rows run downwards, so that a positive angle turns the y axis towards -x. */
function rotation(degrees: number): Matrix3 {
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle), 0, -Math.sin(angle), Math.cos(angle), 0, 0, 0, 1];
}
