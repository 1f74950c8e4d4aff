import type { Box } from '../../images/pixels.ts';
import { boxInside, fillHoles, holeFillParameter } from '../holes.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed } from '../random-words.ts';

/**
 * A lattice of square holes, shifted by chance (GridMask, Chen et al., 2020). Sizes are the paper's for ImageNet: units of 96 to 224 pixels of
 * 224, of which 0.6 of each side is kept. It turns the lattice by no angle, as the authors' default.
 */
export const gridMask = operation({
  name: 'gridmask',
  about: 'A lattice of square holes',
  group: 'erase',
  parameters: {
    hole: {
      kind: 'range',
      about: "a hole's side as a share of the lattice's unit",
      min: 0,
      max: 1,
      identity: 0,
      single: 'exactly',
      default: [0.4, 0.4],
    },
    unit: {
      kind: 'range',
      about: "the lattice's unit as a share of the image's shorter side",
      min: 0.02,
      max: 2,
      identity: undefined,
      single: 'exactly',
      default: [0.43, 1],
    },
    fill: holeFillParameter,
  },
  probability: 0.5,
  risk: 'cut',
  steps: ({ hole, unit, fill }, { image, stream }) => {
    const side = Math.max(2, unit * Math.min(image.width, image.height));
    const [x, y] = [stream.uniform() * side, stream.uniform() * side];
    const seed = drawGrainSeed(stream);
    const boxes: Box[] = [];
    for (let top = y - side; top < image.height; top += side)
      for (let left = x - side; left < image.width; left += side)
        boxes.push(boxInside({ left, top, right: left + hole * side, bottom: top + hole * side }, image));
    return [{ kind: 'filter', run: (pixels) => fillHoles(pixels, boxes, fill, seed) }];
  },
  strength: { signed: false, at: (level) => ({ hole: 0.7 * level }) },
});
