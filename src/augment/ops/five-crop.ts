import { cropAt, cropSizeOf, sizeParameter } from '../crop-parameters.ts';
import { operation } from '../operation.ts';
import { fillParameter } from '../sampling-parameters.ts';

/** One of five, with equal chance: the four corners and the middle (torchvision's `FiveCrop`, of which all are taken). */
export const fiveCrop = operation({
  name: 'fivecrop',
  about: 'One of the four corners or the middle',
  group: 'crop',
  parameters: { ...sizeParameter, ...fillParameter },
  probability: 1,
  risk: 'cut',
  steps: ({ size, fill }, site) => {
    const to = cropSizeOf(size, site);
    const [right, bottom] = [site.image.width - to.width, site.image.height - to.height];
    const [left, top] = (
      [
        [0, 0],
        [right, 0],
        [0, bottom],
        [right, bottom],
        [Math.floor(right / 2), Math.floor(bottom / 2)],
      ] as const
    )[site.stream.integer(5)]!;
    return [cropAt(left, top, to, fill)];
  },
});
