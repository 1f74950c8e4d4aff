import type { Pixels } from '../../images/pixels.ts';
import { amountAt, amountParameter } from '../amount.ts';
import { equalizeTiles } from '../equalize-tiles.ts';
import { changeLightness, lightnessOf } from '../lightness.ts';
import { operation } from '../operation.ts';
import { reused } from '../reused.ts';

/**
 * Contrast-limited adaptive histogram equalisation (Zuiderveld, 1994) of CIE L*, as OpenCV's `createCLAHE` and Albumentations' `CLAHE` have it. The
 * image's a* and b* stay as they are: they are not rounded to bytes, as OpenCV does, which alone moves colours by a few grey levels.
 */
export const clahe = operation({
  name: 'clahe',
  about: 'Local contrast: lightness equalised tile by tile, up to a limit (CLAHE)',
  group: 'colour',
  parameters: {
    clip: {
      kind: 'range',
      about: 'how many times the mean a value may be frequent before it is cut off',
      min: 0.1,
      max: 100,
      identity: undefined,
      single: 'exactly',
      default: [1, 4],
    },
    tiles: { kind: 'number', about: 'tiles along each side', min: 1, max: 64, integer: true, default: 8 },
    amount: amountParameter,
  },
  probability: 0.5,
  steps: ({ clip, tiles, amount }) => [
    { kind: 'filter', run: (image) => equalizeLightness(image, clip, tiles, amount) },
  ],
  strength: { signed: false, at: (level) => ({ clip: 1 + 3 * level, amount: amountAt(level) }) },
});

const before = reused((length) => new Uint8Array(length));
const after = reused((length) => new Uint8Array(length));

function equalizeLightness(image: Pixels, clip: number, tiles: number, amount: number): Pixels {
  const count = image.width * image.height;
  const [from, to] = [before(count), after(count)];
  lightnessOf(image, from);
  equalizeTiles(from, image, clip, tiles, to);
  for (let i = 0; i < count; i++) to[i] = from[i]! + amount * (to[i]! - from[i]!) + 0.5;
  changeLightness(image, from, to);
  return image;
}
