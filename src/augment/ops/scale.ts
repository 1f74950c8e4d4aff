import { aboutCentre, scaling } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/** Larger or smaller about the centre; the size stays. */
export const scale = operation({
  name: 'scale',
  about: 'Larger or smaller about the centre',
  group: 'geometry',
  parameters: {
    factor: {
      kind: 'range',
      about: 'factor of both sides; over 1 is larger',
      min: 0.1,
      max: 10,
      identity: 1,
      single: 'around',
      scale: 'logarithmic',
      default: [0.8, 1.25],
    },
    ...samplingParameters,
  },
  probability: 1,
  risk: 'cut',
  steps: ({ factor, ...sampling }, { image }) => [
    warpBy(aboutCentre(scaling(factor, factor), image), image, samplingOf(sampling)),
  ],
  strength: { signed: true, at: (level, sign) => ({ factor: 2 ** (sign * 0.5 * level) }) },
});
