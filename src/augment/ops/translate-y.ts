import { translation } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/** Shifted downwards; fractions of a pixel are sampled. */
export const translateY = operation({
  name: 'translatey',
  about: 'Shifted downwards',
  group: 'geometry',
  parameters: {
    share: {
      kind: 'range',
      about: 'share of the height, downwards',
      min: -1,
      max: 1,
      identity: 0,
      single: 'around',
      default: [-0.1, 0.1],
    },
    ...samplingParameters,
  },
  probability: 1,
  risk: 'cut',
  steps: ({ share, ...sampling }, { image }) => [
    warpBy(translation(0, share * image.height), image, samplingOf(sampling)),
  ],
  // torchvision's RandAugment: 150 of 331 pixels at the strongest.
  strength: { signed: true, at: (level, sign) => ({ share: (sign * 150 * level) / 331 }) },
});
