import { aboutCentre, shearing } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/** Slanted about the centre: the bottom goes to the right, in shares of the height. */
export const shearX = operation({
  name: 'shearx',
  about: 'Slanted along x about the centre',
  group: 'geometry',
  parameters: {
    amount: {
      kind: 'range',
      about: 'tangent of the angle: the bottom goes to the right, in shares of the height',
      min: -2,
      max: 2,
      identity: 0,
      single: 'around',
      default: [-0.15, 0.15],
    },
    ...samplingParameters,
  },
  probability: 1,
  steps: ({ amount, ...sampling }, { image }) => [
    warpBy(aboutCentre(shearing(amount, 0), image), image, samplingOf(sampling)),
  ],
  // torchvision's RandAugment: 0.3 at the strongest (it slants about the upper left corner).
  strength: { signed: true, at: (level, sign) => ({ amount: sign * 0.3 * level }) },
});
