import { aboutCentre, scaling } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { copying, warpBy } from '../sampling-parameters.ts';

/** Mirrored left to right (torchvision's `RandomHorizontalFlip`). */
export const flip = operation({
  name: 'flip',
  about: 'Mirrored left to right',
  group: 'geometry',
  parameters: {},
  probability: 0.5,
  risk: 'mirrored',
  steps: (_, { image }) => [warpBy(aboutCentre(scaling(-1, 1), image), image, copying())],
});
