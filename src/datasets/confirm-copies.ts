import { align, alignSource, smoothed, type AlignSource, type Alignment, type GreyImage } from '../images/align.ts';
import { decodeStretched, luma } from '../images/stretched.ts';
import { VIEW_SIDE, VIEWS, type View } from '../images/views.ts';
import type { Sample } from './dataset.ts';
import type { Proposal } from './propose-copies.ts';

/** A proposal that passes this on thumbnails is looked at in detail. */
const MOST_UNEXPLAINED_SMALL = 0.03;
/** The same where one of the two was reduced and has lost detail. */
const MOST_UNEXPLAINED_REDUCED = 0.06;
/** How far off an alignment of thumbnails may be. */
const COARSE_SLACK = 0.02;
/** Side of the square that a copy is compared on. */
const DETAIL_SIDE = 64;
/** A copy reduced below this is not told from another image. */
const LEAST_SIDE = 14;
/** Of the shorter sides of two images, above which one is not a reduced copy of the other. */
const SAME_SCALE = 0.85;
/** Images kept decoded: 48 KB each for a source. */
const CACHED = 600;

/**
 * What counts as the same picture. Chosen on planted copies of MNIST digits, CIFAR images and photos of hands and
 * clothes: 98 of 100 copies that are confirmed leave less than 0.6 % unexplained; 6 of 10,000 distinct digits and
 * none of 1,100 photos of hands pass for a copy.
 */
const LIMITS = {
  /** Share of variance that alignment does not explain. */
  unexplained: 0.006,
  /** The same where both show the whole frame, to the pixel: nothing was moved to make it fit. */
  unexplainedWhole: 0.0105,
  /** The same where width and height are cut to different shares, which is rarer among copies. */
  unexplainedUneven: 0.003,
  uneven: 0.03,
  /** A copy keeps its contrast and its colours; two things that differ in colour alone are two things. */
  gain: [0.93, 1.06],
  gainWhole: [0.95, 1.025],
  colour: 8,
  /** Crops by up to a tenth of a side, and what alignment is off by. */
  window: [0.87, 1.02],
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
    const [from, to] = [samples[source]!, samples[copy]!];
    const most = sameScale(from, to) ? MOST_UNEXPLAINED_SMALL : MOST_UNEXPLAINED_REDUCED;
    if (small.unexplained > most || !isWindow(small.view, COARSE_SLACK)) return undefined;
    for (const side of detailSides(from, to)) {
      const [large, template] = await Promise.all([decoded(from, 2 * side), decoded(to, side)]);
      const found = alignInDetail(large, template, side, mirrored, small.view);
      if (found !== undefined && sameColours(large, found.view, mirrored, template)) return { ...found, mirrored };
    }
    return undefined;
  };
}

/** @param large RGB of twice `side` @param template RGB of `side` */
function alignInDetail(
  large: Uint8Array,
  template: Uint8Array,
  side: number,
  mirrored: boolean,
  view: View,
): Alignment | undefined {
  // Four passes on twice the pixels smooth as much as one pass on the template, its larger pixels included.
  const source = alignSource(turned({ side: 2 * side, data: luma(large) }, mirrored), 4);
  const smooth = { side, data: smoothed({ side, data: luma(template) }) };
  const whole = align(source, smooth, VIEWS[0]!, 0);
  if (isCopy(whole, LIMITS.unexplainedWhole, LIMITS.gainWhole)) return whole;
  // What fits at once needs no moving, which would drift along what has structure in one direction only.
  const start = align(source, smooth, view, 0);
  if (isCopy(start)) return start;
  const moved = align(source, smooth, view);
  return isCopy(moved) ? moved : undefined;
}

/**
 * A reduced copy has lost detail: it is compared at its own size, and the other image reduced to that. Of small
 * images the size itself smooths away what JPEG adds, and enlarged they tell where a crop lies to a part of a pixel.
 */
function detailSides(a: Sample, b: Sample): number[] {
  const own = Math.max(LEAST_SIDE, Math.min(DETAIL_SIDE, a.width, a.height, b.width, b.height));
  return own < DETAIL_SIDE && sameScale(a, b) ? [own, DETAIL_SIDE] : [own];
}

function sameScale(a: Sample, b: Sample): boolean {
  const [x, y] = [Math.min(a.width, a.height), Math.min(b.width, b.height)];
  return Math.min(x, y) > SAME_SCALE * Math.max(x, y);
}

function isCopy(
  { view, unexplained, gain }: Alignment,
  limit: number = LIMITS.unexplained,
  gains: readonly [number, number] = LIMITS.gain,
): boolean {
  const uneven = Math.abs(view.width - view.height) > LIMITS.uneven;
  return (
    unexplained <= (uneven ? LIMITS.unexplainedUneven : limit) &&
    gain >= gains[0] &&
    gain <= gains[1] &&
    isWindow(view, 0)
  );
}

/** @param slack of a first, coarse alignment */
function isWindow({ left, top, width, height }: View, slack: number): boolean {
  const [least, most] = LIMITS.window;
  const overhang = LIMITS.overhang + slack;
  return (
    Math.min(width, height) >= least - slack &&
    Math.max(width, height) <= most + slack &&
    Math.min(left, top) >= -overhang &&
    Math.max(left + width, top + height) <= 1 + overhang
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
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) result[y * side + x] = data[y * side + side - 1 - x]!;
  return { side, data: result };
}
