import { aboutCentre, scaling } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { copying, warpBy } from '../sampling-parameters.ts';

/** Mirrored top to bottom (torchvision's `RandomVerticalFlip`). */
export const flipVertical = operation({
  name: 'flipvertical',
  about: 'Mirrored top to bottom',
  group: 'geometry',
  parameters: {},
  probability: 0.5,
  risk: 'mirrored',
  steps: (_, { image }) => [warpBy(aboutCentre(scaling(1, -1), image), image, copying())],
});
