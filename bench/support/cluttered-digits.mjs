// Digits pasted at drawn places and sizes on a larger canvas with clutter: images whose boxes are known.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomStream, shuffled } from '../../dist/core/random.js';
import { encodePng } from '../../dist/images/encode.js';
import { readDigits } from '../../scripts/digits.mjs';

export const CANVAS = 64;
/** The side that the digit's 28 pixels become, least and most; pieces of other digits, and their side. */
export const CLUTTER = { sides: [20, 40], pieces: 4, piece: 7 };
/** From which grey on a pixel is the digit's. */
const INK = 64;

/**
 * Writes FOLDER/PART/CLASS/NAME.png.
 * @param parts part to the number of images a class: { train: 100, test: 50 }; no digit is in two
 * @returns part to its images: { label, pixels: uint8 [CANVAS, CANVAS], box: { left, top, width, height } }
 */
export async function writeClutteredDigits(folder, parts, seed) {
  const digits = shuffled(readDigits(), randomStream(seed, 'cluttered digits'));
  const taken = Array.from({ length: 10 }, () => 0);
  const found = {};
  const of = digits.map(({ digit }) => taken[digit]++);
  let [from, to] = [0, 0];
  for (const [part, count] of Object.entries(parts)) {
    [from, to] = [to, to + count];
    for (let digit = 0; digit < 10; digit++) mkdirSync(join(folder, part, String(digit)), { recursive: true });
    const own = digits.filter((_, i) => of[i] >= from && of[i] < to);
    found[part] = [];
    for (const [i, one] of own.entries()) {
      const image = await canvasOf(one, own, randomStream(seed, part, i));
      const png = await encodePng({ width: CANVAS, height: CANVAS, channels: 1, data: image.pixels });
      writeFileSync(join(folder, part, String(one.digit), one.name), png);
      found[part].push(image);
    }
  }
  return found;
}

async function canvasOf({ digit, pixels }, others, stream) {
  const { sides, pieces, piece } = CLUTTER;
  const side = sides[0] + stream.integer(sides[1] - sides[0] + 1);
  const data = await sharp(Buffer.from(pixels), { raw: { width: 28, height: 28, channels: 1 } })
    .resize(side, side)
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  const canvas = new Uint8Array(CANVAS * CANVAS);
  const [left, top] = [stream.integer(CANVAS - side + 1), stream.integer(CANVAS - side + 1)];
  const box = boundingBox((x, y) => data[y * side + x] >= INK, side, side);
  paste(canvas, side, (x, y) => data[y * side + x], left, top);
  for (let k = 0; k < pieces; k++) {
    const other = others[stream.integer(others.length)].pixels;
    const [fromX, fromY] = [4 + stream.integer(20 - piece + 1), 4 + stream.integer(20 - piece + 1)];
    const place = [stream.integer(CANVAS - piece + 1), stream.integer(CANVAS - piece + 1)];
    paste(canvas, piece, (x, y) => other[(fromY + y) * 28 + fromX + x], ...place);
  }
  return { label: digit, pixels: canvas, box: { ...box, left: box.left + left, top: box.top + top } };
}

/** Light on light stays light. */
function paste(canvas, side, value, left, top) {
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const at = (top + y) * CANVAS + left + x;
      canvas[at] = Math.max(canvas[at], value(x, y));
    }
}

/** The tightest box around all pixels that are in; undefined where none is. */
export function boundingBox(isIn, width, height) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (isIn(x, y)) {
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}
