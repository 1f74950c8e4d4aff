import type { Pixels } from './pixels.ts';

const f32 = Math.fround;

/**
 * Away from or towards a smoothed image: the mean of 3 by 3 pixels in which the middle one counts five times. The outermost
 * pixels stay. Floats are 32 bits wide and rounded after every operation.
 * @param factor 0 is smoothed, 1 the image itself
 * @param into as large as the source, and another image
 */
export function sharpen(source: Pixels, factor: number, into: Pixels): void {
  const { width, height, data } = source;
  const result = into.data;
  result.set(data);
  const stride = width * 3;
  const by = f32(factor);
  for (let y = 1; y < height - 1; y++)
    for (let i = 3, at = y * stride + 3; i < stride - 3; i++, at++) {
      const value = data[at]!;
      const sum = columnOf(data, at - 3, stride) + columnOf(data, at, stride) + columnOf(data, at + 3, stride);
      const smooth = Math.trunc((sum + 4 * value + 6) / 13);
      const moved = f32(f32(smooth + f32(by * (value - smooth))) + 0.5);
      result[at] = moved <= 0 ? 0 : moved >= 255 ? 255 : moved;
    }
}

function columnOf(data: Uint8Array, at: number, stride: number): number {
  return data[at - stride]! + data[at]! + data[at + stride]!;
}
