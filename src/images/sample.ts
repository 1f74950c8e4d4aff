import type { Pixels, Rgb, Size } from './pixels.ts';

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic';

/** What stands where an image does not reach: a colour, 0..255, the image's mean, its reflection (edge pixels repeated) or its nearest edge. */
export type Fill = Rgb | 'mean' | 'reflect' | 'edge';

/**
 * Writes the pixels that an image has at given points. Pixel (x, y) has its centre at (x + 0.5, y + 0.5); bicubic is
 * Keys' kernel with a = -0.5, as in Pillow.
 * @param points called for each row of the result: fills `xs` and `ys` with the source points of its pixels
 * @param into where the [size.height, size.width, 3] result goes, from `offset`
 */
export function samplePoints(
  source: Pixels,
  points: (row: number, xs: Float64Array, ys: Float64Array) => void,
  interpolation: Interpolation,
  fill: Fill,
  size: Size,
  into: Uint8Array,
  offset = 0,
): void {
  const xs = new Float64Array(size.width);
  const ys = new Float64Array(size.width);
  const around = fill === 'mean' ? meanColour(source) : fill;
  const reach = REACH[interpolation];
  const { width, height, data } = source;
  const value = (x: number, y: number, channel: number): number => {
    if (x >= 0 && y >= 0 && x < width && y < height) return data[(y * width + x) * 3 + channel]!;
    if (typeof around !== 'string') return around[channel]!;
    const [column, line] =
      around === 'edge' ? [clamp(x, width), clamp(y, height)] : [reflected(x, width), reflected(y, height)];
    return data[(line * width + column) * 3 + channel]!;
  };
  for (let row = 0, to = offset; row < size.height; row++) {
    points(row, xs, ys);
    for (let column = 0; column < size.width; column++, to += 3) {
      const shift = interpolation === 'nearest' ? 0 : 0.5;
      const x = xs[column]! - shift;
      const y = ys[column]! - shift;
      const left = Math.floor(x);
      const top = Math.floor(y);
      for (let c = 0; c < 3; c++) {
        if (interpolation === 'nearest') {
          into[to + c] = value(left, top, c);
          continue;
        }
        let sum = 0;
        for (let j = 1 - reach; j <= reach; j++) {
          const wy = interpolation === 'bilinear' ? triangle(top + j - y) : cubic(top + j - y);
          if (wy === 0) continue;
          for (let i = 1 - reach; i <= reach; i++) {
            const wx = interpolation === 'bilinear' ? triangle(left + i - x) : cubic(left + i - x);
            if (wx !== 0) sum += wx * wy * value(left + i, top + j, c);
          }
        }
        into[to + c] = Math.min(255, Math.max(0, Math.floor(sum + 0.5)));
      }
    }
  }
}

/** Pixels on either side that a result is made of. */
const REACH = { nearest: 0, bilinear: 1, bicubic: 2 } as const;

function triangle(distance: number): number {
  return Math.max(0, 1 - Math.abs(distance));
}

function cubic(distance: number): number {
  const d = Math.abs(distance);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

function clamp(at: number, side: number): number {
  return at < 0 ? 0 : at >= side ? side - 1 : at;
}

/** ... 1 0 | 0 1 2 | 2 1 ... */
function reflected(at: number, side: number): number {
  const period = 2 * side;
  const inPeriod = ((at % period) + period) % period;
  return inPeriod < side ? inPeriod : period - 1 - inPeriod;
}

/** Rounded to whole numbers. */
export function meanColour({ data }: Pixels): Rgb {
  const sums: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 3) for (let c = 0; c < 3; c++) sums[c]! += data[i + c]!;
  return sums.map((sum) => Math.round((sum * 3) / data.length)) as unknown as Rgb;
}
