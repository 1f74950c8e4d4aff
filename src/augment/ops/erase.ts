import type { Box } from '../../images/pixels.ts';
import type { Size } from '../../images/pixels.ts';
import { fillHoles, holeFillParameter } from '../holes.ts';
import { operation } from '../operation.ts';
import { drawGrainSeed } from '../random-words.ts';

/**
 * Random erasing (Zhong et al., 2020; torchvision's `RandomErasing`): a rectangle anywhere inside the image. The values of each pixel are drawn
 * by default, which the paper found best. Where its aspect does not fit, the rectangle is made narrower and keeps its area.
 */
export const erase = operation({
  name: 'erase',
  about: 'A rectangle is hidden (random erasing)',
  group: 'erase',
  parameters: {
    area: {
      kind: 'range',
      about: "share of the image's area",
      min: 0,
      max: 1,
      identity: 0,
      single: 'from identity',
      default: [0.02, 0.33],
    },
    aspect: {
      kind: 'range',
      about: 'height by width',
      min: 0.05,
      max: 20,
      identity: undefined,
      single: 'exactly',
      scale: 'logarithmic',
      default: [0.3, 3.3],
    },
    fill: { ...holeFillParameter, default: 'noise' },
  },
  probability: 0.5,
  probabilityFirst: true,
  risk: 'cut',
  steps: ({ area, aspect, fill }, { image, stream }) => {
    const place = [stream.uniform(), stream.uniform()] as const;
    const seed = drawGrainSeed(stream);
    const box = boxOf(image, area, aspect, place);
    return [{ kind: 'filter', run: (pixels) => fillHoles(pixels, [box], fill, seed) }];
  },
  strength: { signed: false, at: (level) => ({ area: 0.4 * level }) },
});

function boxOf({ width, height }: Size, share: number, aspect: number, [x, y]: readonly [number, number]): Box {
  const area = share * width * height;
  let tall = Math.min(height, Math.sqrt(area * aspect));
  const wide = Math.min(width, area / tall || 0);
  tall = Math.min(height, area / wide || 0);
  const [w, h] = [Math.round(wide), Math.round(tall)];
  return { left: Math.floor(x * (width - w + 1)), top: Math.floor(y * (height - h + 1)), width: w, height: h };
}
