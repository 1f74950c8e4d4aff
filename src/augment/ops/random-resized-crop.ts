import { randomCropBox } from '../../images/crops.ts';
import { cropAt, cropSizeOf, sizeParameter } from '../crop-parameters.ts';
import { scaling } from '../../images/matrix.ts';
import { operation } from '../operation.ts';
import { interpolationParameters, samplingOf, warpBy } from '../sampling-parameters.ts';

/** A part of random area and aspect, resized (torchvision's `RandomResizedCrop`, the "Inception crop"). */
export const randomResizedCrop = operation({
  name: 'randomresizedcrop',
  about: 'A part of random area and aspect, resized',
  group: 'crop',
  parameters: {
    ...sizeParameter,
    scale: {
      kind: 'range',
      about: "area of the part as a share of the image's",
      min: 0.0001,
      max: 1,
      identity: 1,
      single: 'from identity',
      whole: true,
      default: [0.08, 1],
    },
    ratio: {
      kind: 'range',
      about: 'width by height of the part',
      min: 0.05,
      max: 20,
      identity: undefined,
      single: 'exactly',
      scale: 'logarithmic',
      whole: true,
      default: [3 / 4, 4 / 3],
    },
    ...interpolationParameters,
  },
  probability: 1,
  risk: 'cut',
  steps: ({ size, scale, ratio, ...sampling }, site) => {
    const to = cropSizeOf(size, site);
    const box = randomCropBox(site.image.width, site.image.height, { scale, ratio }, site.stream);
    return [
      cropAt(box.left, box.top, { width: box.width, height: box.height }, 'edge'),
      warpBy(scaling(to.width / box.width, to.height / box.height), to, samplingOf({ ...sampling, fill: 'edge' })),
    ];
  },
});
