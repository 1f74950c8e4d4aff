import type { Pixels } from '../images/pixels.ts';
import type { Histograms, PointMap } from './step.ts';

/** ITU-R 601-2 luma, as Pillow's mode L and torchvision's grey have it. */
export const LUMA = [0.299, 0.587, 0.114] as const;

export function histogramsOf({ data }: Pixels): Histograms {
  const histograms = new Uint32Array(768);
  for (let i = 0; i < data.length; i += 3) {
    histograms[data[i]!]!++;
    histograms[256 + data[i + 1]!]!++;
    histograms[512 + data[i + 2]!]!++;
  }
  return histograms;
}

/** What the histograms are once a table was looked up. */
export function histogramsAfter(histograms: Histograms, table: Uint8Array): Histograms {
  const after = new Uint32Array(768);
  for (let i = 0; i < 768; i++) after[(i & 0x300) + table[i]!]! += histograms[i]!;
  return after;
}

/** Mean of an image's luma, 0..255, not rounded. */
export function greyMeanOf(histograms: Histograms): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < 768; i++) sum += LUMA[i >> 8]! * (i & 255) * histograms[i]!;
  for (let i = 0; i < 256; i++) count += histograms[i]!;
  return sum / count;
}

/** First `first`, then `second`. */
export function joinedTables(first: Uint8Array, second: Uint8Array): Uint8Array {
  return first.map((value, i) => second[(i & 0x300) + value]!);
}

/** `into` may be the image's own data. */
export function applyPointMap(map: PointMap, { data }: Pixels, into: Uint8Array): void {
  if ('table' in map) applyTable(map.table, data, into);
  else if ('matrix' in map) applyMatrix(map.matrix, data, into);
  else turnHue(map.hue, data, into);
}

function applyTable(table: Uint8Array, data: Uint8Array, into: Uint8Array): void {
  for (let i = 0; i < data.length; i += 3) {
    into[i] = table[data[i]!]!;
    into[i + 1] = table[256 + data[i + 1]!]!;
    into[i + 2] = table[512 + data[i + 2]!]!;
  }
}

function applyMatrix(m: Float64Array, data: Uint8Array, into: Uint8Array): void {
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    for (let c = 0; c < 3; c++) {
      const at = c * 4;
      const value = m[at]! * r + m[at + 1]! * g + m[at + 2]! * b + m[at + 3]! + 0.5;
      into[i + c] = value <= 0 ? 0 : value >= 255 ? 255 : value;
    }
  }
}

/** Through HSV: value and saturation stay. */
function turnHue(turns: number, data: Uint8Array, into: Uint8Array): void {
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    const most = Math.max(r, g, b);
    const chroma = most - Math.min(r, g, b);
    if (chroma === 0) {
      into[i] = into[i + 1] = into[i + 2] = most;
      continue;
    }
    const sector = most === r ? (g - b) / chroma + 6 : most === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
    const hue = sector + turns * 6 + 12;
    for (let c = 0; c < 3; c++) {
      // A channel is at its height within one sector of its own hue and at its depth two sectors away.
      const k = (5 - 2 * c + hue) % 6;
      into[i + c] = Math.round(most - chroma * Math.max(0, Math.min(k, 4 - k, 1)));
    }
  }
}
