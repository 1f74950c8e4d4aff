import { cropAt } from '../crop-parameters.ts';
import { operation } from '../operation.ts';
import { fillParameter } from '../sampling-parameters.ts';

/** A border around all sides; the image grows. */
export const pad = operation({
  name: 'pad',
  about: 'A border around all sides',
  group: 'crop',
  parameters: {
    pixels: {
      kind: 'range',
      about: 'pixels on each side',
      min: 0,
      max: 4096,
      integer: true,
      identity: 0,
      single: 'exactly',
      default: [4, 4],
    },
    ...fillParameter,
  },
  probability: 1,
  steps: ({ pixels, fill }, { image: { width, height } }) => [
    cropAt(-pixels, -pixels, { width: width + 2 * pixels, height: height + 2 * pixels }, fill),
  ],
});
