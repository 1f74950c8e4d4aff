import { aboutCentre, rotation } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

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
  steps: ({ angle, ...sampling }, { image }) => [
    warpBy(aboutCentre(rotation(angle), image), image, samplingOf(sampling)),
  ],
  // torchvision's RandAugment: 30 degrees at the strongest.
  strength: { signed: true, at: (level, sign) => ({ angle: sign * 30 * level }) },
});
