import type { Pixels } from '../images/pixels.ts';

/**
 * Light and colour of an image.
 * - brightness: mean luma (ITU-R BT.601), contrast: its standard deviation, dark and light: its 5th and 95th percentile,
 *   all 0..255;
 * - saturation: sum of (max - min) over sum of max of the channels, 0..1 (HSV's saturation, weighted by value);
 * - warmth and tint: log2 of the channels' means, red against blue and green against both (the grey world of Buchsbaum
 *   1980): a factor on all channels leaves them as they are.
 */
export function measureColour({ data }: Pixels): {
  brightness: number;
  contrast: number;
  dark: number;
  light: number;
  saturation: number;
  warmth: number;
  tint: number;
} {
  const histogram = new Uint32Array(256);
  let [red, green, blue, most, range] = [0, 0, 0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!;
    const g = data[i + 1]!;
    const b = data[i + 2]!;
    red += r;
    green += g;
    blue += b;
    const high = r > g ? (r > b ? r : b) : g > b ? g : b;
    const low = r < g ? (r < b ? r : b) : g < b ? g : b;
    most += high;
    range += high - low;
    histogram[(r * 19595 + g * 38470 + b * 7471 + 32768) >> 16]!++;
  }
  const count = data.length / 3;
  let [sum, squares] = [0, 0];
  for (let value = 0; value < 256; value++) {
    sum += value * histogram[value]!;
    squares += value * value * histogram[value]!;
  }
  const brightness = sum / count;
  // One grey level more, so that black has a ratio too.
  const [r, g, b] = [red, green, blue].map((total) => total / count + 1) as [number, number, number];
  return {
    brightness,
    contrast: Math.sqrt(Math.max(0, squares / count - brightness ** 2)),
    dark: percentile(histogram, count, 0.05),
    light: percentile(histogram, count, 0.95),
    saturation: most === 0 ? 0 : range / most,
    warmth: Math.log2(r / b),
    tint: Math.log2(g / Math.sqrt(r * b)),
  };
}

/** Of a histogram of whole numbers, within a number by its share. */
function percentile(histogram: Uint32Array, count: number, share: number): number {
  let below = 0;
  for (let value = 0; value < histogram.length; value++) {
    const here = histogram[value]!;
    if (here > 0 && below + here >= share * count) return value - 0.5 + (share * count - below) / here;
    below += here;
  }
  return histogram.length - 0.5;
}
