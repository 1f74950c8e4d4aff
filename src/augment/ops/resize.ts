import type { Size } from '../../images/pixels.ts';
import { cropSizeOf, sizeParameter } from '../crop-parameters.ts';
import { scaling } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { interpolationParameters, samplingOf, warpBy } from '../sampling-parameters.ts';

/** Smaller or larger as a whole. */
export const resize = operation({
  name: 'resize',
  about: 'The whole image at another size',
  group: 'crop',
  parameters: {
    ...sizeParameter,
    side: {
      kind: 'choice',
      about: 'shorter: the image just covers the size and keeps its aspect; exact: it is stretched to it',
      choices: ['shorter', 'exact'],
      default: 'shorter',
    },
    ...interpolationParameters,
  },
  probability: 1,
  steps: ({ size, side, ...sampling }, site) => {
    const { image } = site;
    const to = side === 'exact' ? cropSizeOf(size, site) : covering(cropSizeOf(size, site), image);
    return [
      warpBy(scaling(to.width / image.width, to.height / image.height), to, samplingOf({ ...sampling, fill: 'edge' })),
    ];
  },
});

/** The smallest size of an image's aspect that covers `wanted`, rounded as evaluation does. */
function covering(wanted: Size, { width, height }: Size): Size {
  const factor = Math.max(wanted.width / width, wanted.height / height);
  return {
    width: Math.max(wanted.width, Math.round(width * factor)),
    height: Math.max(wanted.height, Math.round(height * factor)),
  };
}
