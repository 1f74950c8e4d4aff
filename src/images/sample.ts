import type { Pixels, Rgb } from './pixels.ts';
import { channelSums, type ChannelSums } from './point-kernels.ts';

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic';

/** What stands where an image does not reach: a colour, 0..255, the image's mean, its reflection (edge pixels repeated, OpenCV's BORDER_REFLECT) or its nearest edge. */
export type Fill = Rgb | 'mean' | 'reflect' | 'edge';

/** A fill whose colour, where it has one, is known. */
export type Surroundings = Rgb | 'reflect' | 'edge';

/** How far from a point its farthest pixel has its centre. */
export const REACH = { nearest: 0.5, bilinear: 1, bicubic: 2 } as const;

/** Points lie on a grid of this many parts of a pixel, so that weights are whole numbers. */
export const PARTS = 256;

/** Farther away nothing changes; keeps whole numbers within 32 bits. */
const FAR = 1e6;

/**
 * Writes the pixel that an image has at a point. Pixel (x, y) has its centre at (x + 0.5, y + 0.5). Points are rounded to
 * 1/256 of a pixel; bicubic is Keys' kernel with a = -0.5, as in Pillow's resizing.
 */
export function samplePoint(
  source: Pixels,
  x: number,
  y: number,
  interpolation: Interpolation,
  around: Surroundings,
  into: Uint8Array,
  to: number,
): void {
  const px = Math.min(FAR, Math.max(-FAR, x));
  const py = Math.min(FAR, Math.max(-FAR, y));
  if (interpolation === 'nearest') {
    const at = placeOf(Math.floor(px), Math.floor(py), source.width, source.height, around);
    for (let c = 0; c < 3; c++) into[to + c] = at < 0 ? (around as Rgb)[c]! : source.data[at + c]!;
    return;
  }
  const gx = Math.floor((px - 0.5) * PARTS + 0.5);
  const gy = Math.floor((py - 0.5) * PARTS + 0.5);
  if (interpolation === 'bilinear') bilinear(source, gx, gy, around, into, to);
  else bicubic(source, gx, gy, around, into, to);
}

function bilinear(
  { width, height, data }: Pixels,
  gx: number,
  gy: number,
  around: Surroundings,
  into: Uint8Array,
  to: number,
): void {
  const left = gx >> 8;
  const top = gy >> 8;
  const one = placeOf(left, top, width, height, around);
  const two = placeOf(left + 1, top, width, height, around);
  const three = placeOf(left, top + 1, width, height, around);
  const four = placeOf(left + 1, top + 1, width, height, around);
  for (let c = 0; c < 3; c++)
    into[to + c] = between(
      one < 0 ? (around as Rgb)[c]! : data[one + c]!,
      two < 0 ? (around as Rgb)[c]! : data[two + c]!,
      three < 0 ? (around as Rgb)[c]! : data[three + c]!,
      four < 0 ? (around as Rgb)[c]! : data[four + c]!,
      gx & 255,
      gy & 255,
    );
}

const places = new Int32Array(16);

function bicubic(
  { width, height, data }: Pixels,
  gx: number,
  gy: number,
  around: Surroundings,
  into: Uint8Array,
  to: number,
): void {
  for (let k = 0; k < 16; k++)
    places[k] = placeOf((gx >> 8) + (k & 3) - 1, (gy >> 8) + (k >> 2) - 1, width, height, around);
  const across = (gx & 255) * 4;
  const down = (gy & 255) * 4;
  for (let c = 0; c < 3; c++) {
    let sum = 0.5;
    for (let j = 0; j < 4; j++) {
      let line = 0;
      for (let i = 0; i < 4; i++) {
        const at = places[j * 4 + i]!;
        line += CUBIC[across + i]! * (at < 0 ? (around as Rgb)[c]! : data[at + c]!);
      }
      sum += CUBIC[down + j]! * line;
    }
    into[to + c] = sum <= 0 ? 0 : sum >= 255 ? 255 : sum;
  }
}

/** First byte of the pixel that stands at (x, y), or -1 for a colour. */
function placeOf(x: number, y: number, width: number, height: number, around: Surroundings): number {
  const column = indexOf(x, width, around);
  const row = indexOf(y, height, around);
  return column < 0 || row < 0 ? -1 : (row * width + column) * 3;
}

/** Among four pixels: `fx` and `fy` parts of 256 from the upper left one. */
export function between(one: number, two: number, three: number, four: number, fx: number, fy: number): number {
  // 15 bits between the two directions: what a SIMD unit multiplies.
  const left = (one * (256 - fy) + three * fy) >> 1;
  const right = (two * (256 - fy) + four * fy) >> 1;
  return (left * (256 - fx) + right * fx + 16384) >> 15;
}

export function cubic(distance: number): number {
  const d = Math.abs(distance);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

/** [256, 4]: weights of the four neighbours at each part of a pixel. */
export const CUBIC = Float64Array.from({ length: PARTS * 4 }, (_, i) => cubic((i & 3) - 1 - (i >> 2) / PARTS));

/** Of the pixel that stands at a place, or -1 for a colour. */
export function indexOf(at: number, side: number, around: Surroundings): number {
  if (at >= 0 && at < side) return at;
  if (around === 'edge') return at < 0 ? 0 : side - 1;
  return around === 'reflect' ? reflected(at, side) : -1;
}

/** ... 1 0 | 0 1 2 | 2 1 ... */
export function reflected(at: number, side: number): number {
  const period = 2 * side;
  const inPeriod = ((at % period) + period) % period;
  return inPeriod < side ? inPeriod : period - 1 - inPeriod;
}

/** @param sumsOf channel sums of an image, for the mean */
export function surroundingsOf(fill: Fill, source: Pixels, sumsOf: (image: Pixels) => ChannelSums): Surroundings {
  return fill === 'mean' ? meanColour(source, sumsOf) : fill;
}

/** Rounded to whole numbers. */
export function meanColour(image: Pixels, sumsOf = channelSums): Rgb {
  const [red, green, blue] = sumsOf(image).map((sum) => Math.round(sum / (image.width * image.height)));
  return [red!, green!, blue!];
}
