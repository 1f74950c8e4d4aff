import { boxInside, fillHoles, holeFillParameter } from '../holes.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed } from '../random-words.ts';

/** Square holes, centred anywhere, clipped at the image's border (Cutout, DeVries and Taylor, 2017). */
export const cutout = operation({
  name: 'cutout',
  about: 'Square holes, whose centres lie anywhere',
  group: 'erase',
  parameters: {
    count: { kind: 'number', about: 'holes', min: 1, max: 100, integer: true, default: 1 },
    size: {
      kind: 'range',
      about: "a hole's side as a share of the image's shorter side",
      min: 0,
      max: 2,
      identity: 0,
      single: 'exactly',
      default: [0.25, 0.5],
    },
    fill: holeFillParameter,
  },
  probability: 1,
  risk: 'cut',
  steps: ({ count, size, fill }, { image, stream }) => {
    const half = (size * Math.min(image.width, image.height)) / 2;
    const boxes = Array.from({ length: count }, () => {
      const [x, y] = [stream.uniform() * image.width, stream.uniform() * image.height];
      return boxInside({ left: x - half, top: y - half, right: x + half, bottom: y + half }, image);
    });
    const seed = drawGrainSeed(stream);
    return [{ kind: 'filter', run: (pixels) => fillHoles(pixels, boxes, fill, seed) }];
  },
  strength: { signed: false, at: (level) => ({ size: 0.75 * level }) },
});
