import type { Pixels } from './pixels.ts';

/** Sum of all values of red, green and blue. */
export type ChannelSums = readonly [red: number, green: number, blue: number];

// Each pixel by itself, in place. Floats are 32 bits wide and rounded after every operation, as SIMD units have it.

const f32 = Math.fround;

/** @param table [3, 256]: the new value for each value of a channel */
export function lookUp({ data }: Pixels, table: Uint8Array): void {
  for (let i = 0; i < data.length; i += 3) {
    data[i] = table[data[i]!]!;
    data[i + 1] = table[256 + data[i + 1]!]!;
    data[i + 2] = table[512 + data[i + 2]!]!;
  }
}

/** @param matrix [3, 4]: each new channel as a sum of red, green, blue and a constant, rounded and clamped */
export function mixColours({ data }: Pixels, matrix: Float64Array): void {
  const m = Float32Array.from(matrix);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    for (let c = 0, at = 0; c < 3; c++, at += 4) {
      const mixed = f32(f32(f32(m[at]! * r) + f32(m[at + 1]! * g)) + f32(m[at + 2]! * b));
      const value = f32(mixed + m[at + 3]!);
      data[i + c] = f32((value <= 0 ? 0 : value >= 255 ? 255 : value) + WHOLE) - WHOLE;
    }
  }
}

/** Added to a 32-bit float of 0..255, rounds it to a whole number (halves to even ones). */
export const WHOLE = 2 ** 23;

/** Through HSV: value and saturation stay. `turns` of the hue, -0.5..0.5. */
export function turnHue({ data }: Pixels, turns: number): void {
  const turn = f32(turns * 6 + 12);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    const most = Math.max(r, g, b);
    const least = Math.min(r, g, b);
    const range = most - least;
    const [difference, base] = most === r ? [g - b, 0] : most === g ? [b - r, 2] : [r - g, 4];
    const turned = f32(f32(f32(difference / Math.max(range, 1)) + base) + turn);
    const hue = f32(turned - f32(6 * Math.floor(f32(turned * SIXTH))));
    // How far each channel stands above the least: all of the range within a sixth about its own hue.
    const shares = [f32(Math.abs(f32(hue - 3)) - 1), f32(2 - Math.abs(f32(hue - 2))), f32(2 - Math.abs(f32(hue - 4)))];
    for (let c = 0; c < 3; c++)
      data[i + c] = f32(least + WHOLE + f32(range * Math.min(1, Math.max(0, shares[c]!)))) - WHOLE;
  }
}

const SIXTH = f32(1 / 6);

export function channelSums({ data }: Pixels): ChannelSums {
  let [red, green, blue] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    red += data[i]!;
    green += data[i + 1]!;
    blue += data[i + 2]!;
  }
  return [red, green, blue];
}

/** [3, 256]: how many pixels have each value of a channel. */
export function histograms({ data }: Pixels): Uint32Array {
  const counts = new Uint32Array(768);
  for (let i = 0; i < data.length; i += 3) {
    counts[data[i]!]!++;
    counts[256 + data[i + 1]!]!++;
    counts[512 + data[i + 2]!]!++;
  }
  return counts;
}

/** @param planes [3, height, width]: (value - mean) / std of each channel */
export function normalise(
  { width, height, data }: Pixels,
  mean: readonly number[],
  std: readonly number[],
  mirrored: boolean,
  planes: Float32Array,
): void {
  const plane = width * height;
  for (let c = 0; c < 3; c++) {
    const values = Float32Array.from({ length: 256 }, (_, value) => f32(value - f32(mean[c]!)) / f32(std[c]!));
    for (let y = 0, to = c * plane; y < height; y++) {
      const step = mirrored ? -3 : 3;
      let at = (y * width + (mirrored ? width - 1 : 0)) * 3 + c;
      for (let x = 0; x < width; x++, at += step, to++) planes[to] = values[data[at]!]!;
    }
  }
}
