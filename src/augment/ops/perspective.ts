import type { RandomStream } from '../../core/random.ts';
import type { Size } from '../../images/pixels.ts';
import { quadrilateral, rectangle } from '../homography.ts';
import { invert, multiply } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { samplingOf, samplingParameters, warpBy } from '../sampling-parameters.ts';

/** Seen from aside: every corner moves inwards by its own share (torchvision's `RandomPerspective`). */
export const perspective = operation({
  name: 'perspective',
  about: 'Seen from aside: each corner moves inwards on its own',
  group: 'geometry',
  parameters: {
    distortion: {
      kind: 'range',
      about: 'how far corners move at most, as a share of half the side',
      min: 0,
      max: 0.9,
      identity: 0,
      single: 'from identity',
      default: [0, 0.5],
    },
    ...samplingParameters,
  },
  probability: 1,
  steps: ({ distortion, ...sampling }, { image, stream }) => {
    const onto = quadrilateral(movedCorners(image, distortion, stream));
    return [warpBy(multiply(onto, invert(rectangle(image))), image, samplingOf(sampling))];
  },
  strength: { signed: false, at: (level) => ({ distortion: 0.5 * level }) },
});

function movedCorners({ width, height }: Size, distortion: number, stream: RandomStream) {
  const inwards = (side: number): number => stream.uniform() * distortion * (side / 2);
  return [
    [inwards(width), inwards(height)],
    [width - inwards(width), inwards(height)],
    [width - inwards(width), height - inwards(height)],
    [inwards(width), height - inwards(height)],
  ] as const;
}
