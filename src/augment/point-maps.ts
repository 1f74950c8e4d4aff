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
  const [rr, rg, rb, r0, gr, gg, gb, g0, br, bg, bb, b0] = m as unknown as MatrixEntries;
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!;
    const g = data[i + 1]!;
    const b = data[i + 2]!;
    const red = rr * r + rg * g + rb * b + r0 + 0.5;
    const green = gr * r + gg * g + gb * b + g0 + 0.5;
    const blue = br * r + bg * g + bb * b + b0 + 0.5;
    into[i] = red <= 0 ? 0 : red >= 255 ? 255 : red;
    into[i + 1] = green <= 0 ? 0 : green >= 255 ? 255 : green;
    into[i + 2] = blue <= 0 ? 0 : blue >= 255 ? 255 : blue;
  }
}

// oxfmt-ignore
type MatrixEntries = readonly [
  number, number, number, number,
  number, number, number, number,
  number, number, number, number,
];

/** Through HSV: value and saturation stay. */
function turnHue(turns: number, data: Uint8Array, into: Uint8Array): void {
  // To 0..6, of which each part is between two of red, yellow, green, cyan, blue, magenta.
  const turned = (((turns * 6) % 6) + 6) % 6;
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!;
    const g = data[i + 1]!;
    const b = data[i + 2]!;
    const most = r > g ? (r > b ? r : b) : g > b ? g : b;
    const least = r < g ? (r < b ? r : b) : g < b ? g : b;
    const chroma = most - least;
    if (chroma === 0) {
      into[i] = into[i + 1] = into[i + 2] = most;
      continue;
    }
    // -1..5, then 0..6.
    let hue = most === r ? (g - b) / chroma : most === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
    hue += turned;
    if (hue < 0) hue += 6;
    else if (hue >= 6) hue -= 6;
    // A channel is at its height within one part of its own hue and at its depth from two on.
    const red = Math.abs(hue - 3) - 1;
    const green = 2 - Math.abs(hue - 2);
    const blue = 2 - Math.abs(hue - 4);
    const base = least + 0.5;
    into[i] = base + chroma * (red <= 0 ? 0 : red >= 1 ? 1 : red);
    into[i + 1] = base + chroma * (green <= 0 ? 0 : green >= 1 ? 1 : green);
    into[i + 2] = base + chroma * (blue <= 0 ? 0 : blue >= 1 ? 1 : blue);
  }
}
