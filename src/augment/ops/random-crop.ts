import type { RandomStream } from '../../core/random.ts';
import { cropAt, cropSizeOf, sizeParameter } from '../crop-parameters.ts';
import { operation } from '../operation.ts';
import { fillParameter } from '../sampling-parameters.ts';

/**
 * A part of the image anywhere in it, after `padding` was put around (torchvision's `RandomCrop`). Where the image is
 * smaller, it stands anywhere in the result.
 */
export const randomCrop = operation({
  name: 'randomcrop',
  about: 'A part of the image anywhere in it, on request with a border put around first',
  group: 'crop',
  parameters: {
    ...sizeParameter,
    padding: {
      kind: 'number',
      about: 'pixels put around all sides first',
      min: 0,
      max: 4096,
      integer: true,
      default: 0,
    },
    ...fillParameter,
  },
  probability: 1,
  risk: 'cut',
  steps: ({ size, padding, fill }, site) => {
    const to = cropSizeOf(size, site);
    const left = anywhere(site.image.width + 2 * padding - to.width, site.stream) - padding;
    const top = anywhere(site.image.height + 2 * padding - to.height, site.stream) - padding;
    return [cropAt(left, top, to, fill)];
  },
});

/** 0..room, or room..0 where that is negative. */
function anywhere(room: number, stream: RandomStream): number {
  return Math.sign(room) * stream.integer(Math.abs(room) + 1);
}
