import type { Pixels, Size } from '../../images/pixels.ts';
import { reused } from '../reused.ts';
import { forwardDct, inverseDct } from './dct.ts';
import { quantizationAt } from '../../images/jpeg-quantization.ts';

/**
 * What an image is after it was saved as JPEG and read again, in place: YCbCr with chroma of half the resolution (4:2:0), cosine transform,
 * quantization, and back. Nothing is written: what is lossless in JPEG is left out. The bytes are those of libjpeg-turbo with its defaults.
 * @param quality 1 to 100, libjpeg's
 */
export function jpegRoundTrip(image: Pixels, quality: number): Pixels {
  const { width, height } = image;
  const { luma, chroma } = quantizationAt(quality);
  const full = { width: wholeBlocks(width), height: wholeBlocks(height) };
  const half = { width: wholeBlocks((width + 1) >> 1), height: wholeBlocks((height + 1) >> 1) };
  const [y, cb, cr] = [lumaPlane(full), bluePlane(half), redPlane(half)];
  splitChannels(image, full, half, y, cb, cr);
  quantizePlane(y, full, luma);
  quantizePlane(cb, half, chroma);
  quantizePlane(cr, half, chroma);
  joinChannels(image, full, half, y, cb, cr);
  return image;
}

function wholeBlocks(side: number): number {
  return Math.ceil(side / 8) * 8;
}

function plane(): (size: Size) => Uint8Array {
  const memory = reused((length) => new Uint8Array(length));
  return ({ width, height }) => memory(width * height);
}

const [lumaPlane, bluePlane, redPlane] = [plane(), plane(), plane()];
const chromaLines = reused((length) => new Uint8Array(length));

/** Binary places of the weights. */
const PLACES = 16;
const HALF = 1 << (PLACES - 1);
const fixed = (value: number): number => Math.round(value * (1 << PLACES));
const [YR, YG, YB] = [fixed(0.299), fixed(0.587), fixed(0.114)];
const [BR, BG, RG, RB] = [fixed(0.168735892), fixed(0.331264108), fixed(0.418687589), fixed(0.081312411)];
const [RED, BLUE, GREEN_OF_BLUE, GREEN_OF_RED] = [fixed(1.402), fixed(1.772), fixed(0.34414), fixed(0.71414)];

/** Luma as it is, chroma as means of 2 by 2 pixels; all repeat their last row and column up to whole blocks. */
function splitChannels(
  { width, height, data }: Pixels,
  full: Size,
  half: Size,
  y: Uint8Array,
  cb: Uint8Array,
  cr: Uint8Array,
): void {
  const wide = half.width * 2;
  // Two rows of blue chroma, then two of red.
  const lines = chromaLines(wide * 4);
  // Chroma is the rest of 128 and half: rounded, a half downwards.
  const offset = (128 << PLACES) + HALF - 1;
  for (let row = 0; row < 2 * ((height + 1) >> 1); row++) {
    let at = Math.min(row, height - 1) * width * 3;
    const to = row * full.width;
    const line = (row & 1) * wide;
    for (let x = 0; x < width; x++, at += 3) {
      const r = data[at]!;
      const g = data[at + 1]!;
      const b = data[at + 2]!;
      if (row < height) y[to + x] = (YR * r + YG * g + YB * b + HALF) >> PLACES;
      lines[line + x] = ((b << (PLACES - 1)) - BR * r - BG * g + offset) >> PLACES;
      lines[2 * wide + line + x] = ((r << (PLACES - 1)) - RG * g - RB * b + offset) >> PLACES;
    }
    if (row < height) y.fill(y[to + width - 1]!, to + width, to + full.width);
    for (const start of [line, 2 * wide + line]) lines.fill(lines[start + width - 1]!, start + width, start + wide);
    if ((row & 1) === 0) continue;
    for (let x = 0, from = 0, into = (row >> 1) * half.width; x < half.width; x++, from += 2, into++) {
      // A quarter is rounded up in turn by one and two, so that no shade is favoured.
      const bias = 1 + (x & 1);
      cb[into] = (lines[from]! + lines[from + 1]! + lines[from + wide]! + lines[from + wide + 1]! + bias) >> 2;
      const red = from + 2 * wide;
      cr[into] = (lines[red]! + lines[red + 1]! + lines[red + wide]! + lines[red + wide + 1]! + bias) >> 2;
    }
  }
  repeatLastRow(y, full, height);
  repeatLastRow(cb, half, (height + 1) >> 1);
  repeatLastRow(cr, half, (height + 1) >> 1);
}

function repeatLastRow(values: Uint8Array, { width, height }: Size, rows: number): void {
  for (let row = rows; row < height; row++) values.copyWithin(row * width, (rows - 1) * width, rows * width);
}

const block = new Int32Array(64);

/** Each 8 by 8 block to its coefficients, these to whole steps of the table, and back. */
function quantizePlane(values: Uint8Array, { width, height }: Size, table: Float64Array): void {
  for (let top = 0; top < height; top += 8)
    for (let left = 0; left < width; left += 8) {
      const start = top * width + left;
      for (let row = 0, i = 0, at = start; row < 8; row++, at += width)
        for (let column = 0; column < 8; column++, i++) block[i] = values[at + column]! - 128;
      forwardDct(block);
      for (let i = 0; i < 64; i++) {
        // The transform is 8 times too large. Halves go away from zero.
        const step = table[i]!;
        const value = block[i]!;
        const steps = Math.floor((Math.abs(value) + 4 * step) / (8 * step));
        block[i] = value < 0 ? -steps * step : steps * step;
      }
      inverseDct(block);
      for (let row = 0, i = 0, at = start; row < 8; row++, at += width)
        for (let column = 0; column < 8; column++, i++) {
          const value = block[i]! + 128;
          values[at + column] = value < 0 ? 0 : value > 255 ? 255 : value;
        }
    }
}

/** Chroma is enlarged by a triangle filter (libjpeg's "fancy upsampling"), in whole numbers. */
function joinChannels(
  { width, height, data }: Pixels,
  full: Size,
  half: Size,
  y: Uint8Array,
  cb: Uint8Array,
  cr: Uint8Array,
): void {
  const [columns, rows] = [(width + 1) >> 1, (height + 1) >> 1];
  const wide = columns * 2;
  const lines = chromaLines(wide * 2);
  for (let row = 0; row < height; row++) {
    const near = row >> 1;
    const far = Math.min(rows - 1, Math.max(0, near + (row & 1 ? 1 : -1)));
    enlargeLine(cb, near * half.width, far * half.width, columns, lines, 0);
    enlargeLine(cr, near * half.width, far * half.width, columns, lines, wide);
    for (let x = 0, at = row * width * 3, from = row * full.width; x < width; x++, at += 3, from++) {
      const value = y[from]!;
      const blue = lines[x]! - 128;
      const red = lines[wide + x]! - 128;
      const r = value + ((RED * red + HALF) >> PLACES);
      const g = value + ((HALF - GREEN_OF_BLUE * blue - GREEN_OF_RED * red) >> PLACES);
      const b = value + ((BLUE * blue + HALF) >> PLACES);
      data[at] = r < 0 ? 0 : r > 255 ? 255 : r;
      data[at + 1] = g < 0 ? 0 : g > 255 ? 255 : g;
      data[at + 2] = b < 0 ? 0 : b > 255 ? 255 : b;
    }
  }
}

/** Three quarters of the nearer and one of the farther neighbour, down and across; of two columns or fewer, the nearest alone, as libjpeg-turbo. */
function enlargeLine(
  values: Uint8Array,
  near: number,
  far: number,
  columns: number,
  into: Uint8Array,
  to: number,
): void {
  if (columns <= 2) {
    for (let x = 0; x < 2 * columns; x++) into[to + x] = values[near + (x >> 1)]!;
    return;
  }
  let here = 3 * values[near]! + values[far]!;
  let before = here;
  for (let x = 0, at = to; x < columns; x++, at += 2) {
    const after = x + 1 < columns ? 3 * values[near + x + 1]! + values[far + x + 1]! : here;
    into[at] = (3 * here + before + 8) >> 4;
    into[at + 1] = (3 * here + after + 7) >> 4;
    before = here;
    here = after;
  }
}
