import type { Box } from '../images/pixels.ts';
import type { Pixels, Rgb } from '../images/pixels.ts';
import { meanColour } from '../images/sample.ts';
import type { FillParameter } from './parameters.ts';
import { randomWords, type GrainSeed } from './random-words.ts';

export type HoleFill = Rgb | 'mean' | 'noise';

/** What an operation that makes holes can be told. */
export const holeFillParameter = {
  kind: 'fill',
  about: "what stands in it: #rrggbb, 0..255, the image's mean, or noise (any colour, pixel by pixel)",
  words: ['mean', 'noise'],
  default: 'mean',
} as const satisfies FillParameter;

/** Fills boxes, in place. They lie inside the image; one without an area does nothing. */
export function fillHoles(image: Pixels, boxes: readonly Box[], fill: HoleFill, seed: GrainSeed): Pixels {
  const { width: across, data } = image;
  const colour = fill === 'mean' ? meanColour(image) : fill;
  const area = boxes.reduce((sum, { width, height }) => sum + width * height, 0);
  const words = colour === 'noise' ? randomWords(seed, area) : undefined;
  let next = 0;
  for (const { left, top, width, height } of boxes)
    for (let y = top; y < top + height; y++)
      for (let at = (y * across + left) * 3, end = at + width * 3; at < end; at += 3) {
        if (words !== undefined) {
          const word = words[next++]!;
          data[at] = word & 255;
          data[at + 1] = (word >>> 8) & 255;
          data[at + 2] = (word >>> 16) & 255;
          continue;
        }
        data[at] = colour[0] as number;
        data[at + 1] = colour[1] as number;
        data[at + 2] = colour[2] as number;
      }
  return image;
}

/** The part of a box, of any numbers, that lies inside an image; its sides are rounded. */
export function boxInside(
  { left, top, right, bottom }: Readonly<Record<'left' | 'top' | 'right' | 'bottom', number>>,
  size: { readonly width: number; readonly height: number },
): Box {
  const clamped = (value: number, side: number): number => Math.min(side, Math.max(0, Math.round(value)));
  const [x, y] = [clamped(left, size.width), clamped(top, size.height)];
  return { left: x, top: y, width: clamped(right, size.width) - x, height: clamped(bottom, size.height) - y };
}
