import { cropAt, cropSizeOf, sizeParameter } from '../crop-parameters.ts';
import { operation } from '../operation.ts';
import { fillParameter } from '../sampling-parameters.ts';

/**
 * The middle of the image; where that is smaller, `fill` stands around it (torchvision's `CenterCrop`,
 * but an odd overhang is cut as in evaluation: less at the left and the top).
 */
export const centerCrop = operation({
  name: 'centercrop',
  about: 'The middle of the image',
  group: 'crop',
  parameters: { ...sizeParameter, ...fillParameter },
  probability: 1,
  risk: 'cut',
  steps: ({ size, fill }, site) => {
    const to = cropSizeOf(size, site);
    const { width, height } = site.image;
    return [cropAt(Math.floor((width - to.width) / 2), Math.floor((height - to.height) / 2), to, fill)];
  },
});
