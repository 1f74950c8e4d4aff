import { align, alignSource, smoothed, type AlignSource, type Alignment, type GreyImage } from '../images/align.ts';
import { decodeStretched, luma } from '../images/stretched.ts';
import { VIEW_SIDE, type View } from '../images/views.ts';
import type { Sample } from './dataset.ts';
import type { Proposal } from './propose-copies.ts';

/** A proposal that passes this on thumbnails is looked at in detail. */
const MOST_UNEXPLAINED_SMALL = 0.03;
/** Side of the square that a copy is compared on, at most: that of the smaller image. */
const DETAIL_SIDE = 64;
const LEAST_SIDE = 14;
/** Images kept decoded: 48 KB each for a source. */
const CACHED = 600;

/**
 * What counts as the same picture. Measured on MNIST digits, photos of hands and of clothes, and CIFAR:
 * planted copies leave at most 0.5 % unexplained (95 of 100), distinct images at least 0.8 %.
 */
const LIMITS = {
  /** Share of variance that alignment does not explain. */
  unexplained: 0.006,
  /** A copy keeps its contrast and its colours; two things that differ in colour alone are two things. */
  gain: [0.85, 1.18],
  colour: 8,
  /** Crops by up to a tenth of a side, and what alignment is off by. */
  window: [0.86, 1.03],
  overhang: 0.02,
} as const;

export interface ConfirmedPair extends Alignment {
  readonly mirrored: boolean;
}

/**
 * Aligns pixels of proposed pairs, first of thumbnails, then of the images themselves.
 * @param thumbnails [n, VIEW_SIDE, VIEW_SIDE] grey
 */
export function pairConfirmer(
  samples: readonly Sample[],
  thumbnails: Uint8Array,
  maxPixels?: number,
): (proposal: Proposal) => Promise<ConfirmedPair | undefined> {
  const cache = new Map<string, Promise<Uint8Array>>();
  const decoded = (sample: Sample, side: number): Promise<Uint8Array> => {
    const key = `${side} ${sample.file}`;
    const known = cache.get(key) ?? decodeStretched(sample.file, side, maxPixels);
    // Last in the order of insertion: the least recently used goes first.
    cache.delete(key);
    cache.set(key, known);
    if (cache.size > CACHED) cache.delete(cache.keys().next().value!);
    return known;
  };
  const size = VIEW_SIDE * VIEW_SIDE;
  const thumbnail = (index: number): GreyImage => ({
    side: VIEW_SIDE,
    data: Float32Array.from(thumbnails.subarray(index * size, (index + 1) * size)),
  });
  let last: { key: string; source: AlignSource } | undefined;
  return async (proposal) => {
    const { source, copy, view, mirrored } = proposal;
    const key = `${source} ${mirrored}`;
    if (last?.key !== key) last = { key, source: alignSource(turned(thumbnail(source), mirrored)) };
    const small = align(last.source, { side: VIEW_SIDE, data: smoothed(thumbnail(copy)) }, view);
    if (small.unexplained > MOST_UNEXPLAINED_SMALL || !isWindow(small.view)) return undefined;
    const [from, to] = [samples[source]!, samples[copy]!];
    const side = Math.max(LEAST_SIDE, Math.min(DETAIL_SIDE, from.width, from.height, to.width, to.height));
    const [large, template] = await Promise.all([decoded(from, 2 * side), decoded(to, side)]);
    const grey = turned({ side: 2 * side, data: luma(large) }, mirrored);
    // Four passes on twice the pixels smooth as much as one pass on the template, its larger pixels included.
    const found = align(alignSource(grey, 4), { side, data: smoothed({ side, data: luma(template) }) }, small.view);
    return isCopy(found) && sameColours(large, found.view, mirrored, template) ? { ...found, mirrored } : undefined;
  };
}

function isCopy({ view, unexplained, gain }: Alignment): boolean {
  return unexplained <= LIMITS.unexplained && gain >= LIMITS.gain[0] && gain <= LIMITS.gain[1] && isWindow(view);
}

function isWindow({ left, top, width, height }: View): boolean {
  const [least, most] = LIMITS.window;
  return (
    Math.min(width, height) >= least &&
    Math.max(width, height) <= most &&
    Math.min(left, top) >= -LIMITS.overhang &&
    Math.max(left + width, top + height) <= 1 + LIMITS.overhang
  );
}

function sameColours(source: Uint8Array, view: View, mirrored: boolean, copy: Uint8Array): boolean {
  const { left, width } = view;
  const window = mirrored ? { ...view, left: 1 - left - width } : view;
  const a = meanColour(source, window);
  const b = meanColour(copy, { left: 0, top: 0, width: 1, height: 1 });
  return a.every((value, channel) => Math.abs(value - b[channel]!) <= LIMITS.colour);
}

function meanColour(rgb: Uint8Array, { left, top, width, height }: View): number[] {
  const side = Math.sqrt(rgb.length / 3);
  const edge = (part: number): number => Math.round(Math.min(1, Math.max(0, part)) * side);
  const [x0, x1, y0, y1] = [edge(left), edge(left + width), edge(top), edge(top + height)];
  const sums = [0, 0, 0];
  for (let y = y0; y < y1; y++)
    for (let x = x0, at = (y * side + x0) * 3; x < x1; x++, at += 3)
      for (let channel = 0; channel < 3; channel++) sums[channel]! += rgb[at + channel]!;
  return sums.map((sum) => sum / ((x1 - x0) * (y1 - y0)));
}

function turned({ side, data }: GreyImage, mirrored: boolean): GreyImage {
  if (!mirrored) return { side, data };
  const result = new Float32Array(data.length);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) result[y * side + x] = data[y * side + side - 1 - x]!;
  return { side, data: result };
}
