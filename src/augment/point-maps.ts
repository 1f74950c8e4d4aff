import type { Kernels } from '../images/kernels.ts';
import type { Pixels, Size } from '../images/pixels.ts';
import type { ChannelSums } from '../images/point-kernels.ts';
import type { Histograms, PointMap } from './step.ts';

/** ITU-R 601-2 luma, as Pillow's mode L and torchvision's grey have it. */
export const LUMA = [0.299, 0.587, 0.114] as const;

/** What the histograms are once a table was looked up. */
export function histogramsAfter(histograms: Histograms, table: Uint8Array): Histograms {
  const after = new Uint32Array(768);
  for (let i = 0; i < 768; i++) after[(i & 0x300) + table[i]!]! += histograms[i]!;
  return after;
}

/** Sum of all values of each channel. */
export function sumsOf(histograms: Histograms): ChannelSums {
  const sums: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < 768; i++) sums[i >> 8]! += (i & 255) * histograms[i]!;
  return sums;
}

/** Mean of an image's luma, 0..255, not rounded. */
export function greyMeanOf([red, green, blue]: ChannelSums, { width, height }: Size): number {
  return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue) / (width * height);
}

/** First `first`, then `second`. */
export function joinedTables(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(768);
  for (let i = 0; i < 768; i++) joined[i] = second[(i & 0x300) + first[i]!]!;
  return joined;
}

/** Works in place, on an image that lies in a buffer of the kernels. */
export function applyPointMap(map: PointMap, image: Pixels, kernels: Kernels): void {
  if ('table' in map) kernels.lookUp(image, map.table);
  else if ('matrix' in map) kernels.mixColours(image, map.matrix);
  else kernels.turnHue(image, map.hue);
}
