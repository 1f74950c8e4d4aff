import type { Pixels } from './pixels.ts';
import { cubic } from './sample.ts';

/** How each pixel of a line is made of neighbours of another line. */
export interface Filter {
  /** Source pixels that every result is made of; at the borders some have no weight. */
  readonly taps: number;
  /** The first of them, for each result; all lie within the source. */
  readonly first: Int32Array;
  /** [out, taps], in parts of 2^shift, each within 16 bits. */
  readonly weights: Int16Array;
  readonly shift: number;
}

/** Where a line of `to` pixels comes from: pixel i from around `offset + scale * (i + 0.5)`; a negative scale mirrors. */
export interface Axis {
  /** Pixels of the source's line; nothing beyond is looked at. */
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  readonly offset: number;
}

/**
 * Weights as in Pillow: a triangle (bilinear) or Keys' kernel with a = -0.5 (bicubic), as wide as the shrinking asks for
 * with `antialias`; what would lie beyond the source is left out and the rest made 1 in sum. Whole numbers.
 */
export function filterOf(
  { from, to, scale, offset }: Axis,
  interpolation: 'bilinear' | 'bicubic',
  antialias: boolean,
): Filter {
  const stretch = antialias ? Math.max(Math.abs(scale), 1) : 1;
  const isCubic = interpolation === 'bicubic';
  const reach = (isCubic ? 2 : 1) * stretch;
  // Cubic weights can pass 1.
  const shift = isCubic ? 14 : 15;
  const one = 1 << shift;
  let taps = 1;
  // The same weights whether it mirrors or not.
  const [step, start] = scale < 0 ? [-scale, offset + scale * to] : [scale, offset];
  const centreOf = (i: number): number => start + step * ((scale < 0 ? to - 1 - i : i) + 0.5);
  for (let i = 0; i < to; i++) {
    const centre = centreOf(i);
    taps = Math.max(taps, highest(centre, reach, from) - lowest(centre, reach));
  }
  taps = Math.min(taps, from);
  const first = new Int32Array(to);
  const weights = new Int16Array(to * taps);
  const share = new Float64Array(taps);
  for (let i = 0; i < to; i++) {
    const centre = centreOf(i);
    const high = highest(centre, reach, from);
    const low = Math.min(lowest(centre, reach), high - 1);
    let total = 0;
    for (let k = low; k < high; k++) {
      const distance = (k - centre + 0.5) / stretch;
      const value = isCubic ? cubic(distance) : Math.max(0, 1 - Math.abs(distance));
      share[k - low] = value;
      total += value;
    }
    first[i] = Math.min(low, from - taps);
    const at = i * taps + low - first[i]!;
    // 32767 parts of 32768 round to the same value as all of them, and fit 16 bits.
    for (let k = 0; k < high - low; k++) weights[at + k] = Math.min(32767, Math.round((share[k]! / total) * one));
  }
  return { taps, first, weights, shift };
}

function lowest(centre: number, reach: number): number {
  return Math.max(0, Math.trunc(centre - reach + 0.5));
}

function highest(centre: number, reach: number, from: number): number {
  return Math.max(1, Math.min(from, Math.trunc(centre + reach + 0.5)));
}

/** Rows first, then columns; what lies between is 8-bit, as in Pillow. `between` is as wide as the result and as high as the source. */
export function resample(source: Pixels, across: Filter, down: Filter, between: Pixels, into: Pixels): void {
  resampleRows(source, across, between);
  resampleColumns(between, down, into);
}

function resampleRows(source: Pixels, { taps, first, weights, shift }: Filter, into: Pixels): void {
  const { data } = source;
  const result = into.data;
  const half = 1 << (shift - 1);
  const outWidth = first.length;
  for (let y = 0, to = 0; y < source.height; y++) {
    const start = y * source.width * 3;
    if (taps === 2 && shift === 15)
      // Enlarging, the common case: two neighbours.
      for (let x = 0; x < outWidth; x++, to += 3) {
        const at = start + first[x]! * 3;
        const one = weights[x * 2]!;
        const two = weights[x * 2 + 1]!;
        result[to] = (half + one * data[at]! + two * data[at + 3]!) >> 15;
        result[to + 1] = (half + one * data[at + 1]! + two * data[at + 4]!) >> 15;
        result[to + 2] = (half + one * data[at + 2]! + two * data[at + 5]!) >> 15;
      }
    else
      for (let x = 0; x < outWidth; x++, to += 3) {
        let r = half;
        let g = half;
        let b = half;
        for (let k = 0, at = start + first[x]! * 3, w = x * taps; k < taps; k++, at += 3, w++) {
          const weight = weights[w]!;
          r += weight * data[at]!;
          g += weight * data[at + 1]!;
          b += weight * data[at + 2]!;
        }
        result[to] = toByte(r >> shift);
        result[to + 1] = toByte(g >> shift);
        result[to + 2] = toByte(b >> shift);
      }
  }
}

function resampleColumns(source: Pixels, { taps, first, weights, shift }: Filter, into: Pixels): void {
  const { data } = source;
  const result = into.data;
  const half = 1 << (shift - 1);
  const stride = source.width * 3;
  const sum = new Int32Array(stride);
  for (let y = 0, to = 0; y < first.length; y++, to += stride) {
    const start = first[y]! * stride;
    if (taps === 2 && shift === 15) {
      const one = weights[y * 2]!;
      const two = weights[y * 2 + 1]!;
      for (let i = 0, at = start, below = start + stride; i < stride; i++, at++, below++)
        result[to + i] = (half + one * data[at]! + two * data[below]!) >> 15;
      continue;
    }
    sum.fill(half);
    for (let k = 0, at = start; k < taps; k++) {
      const weight = weights[y * taps + k]!;
      for (let i = 0; i < stride; i++, at++) sum[i]! += weight * data[at]!;
    }
    for (let i = 0; i < stride; i++) result[to + i] = toByte(sum[i]! >> shift);
  }
}

function toByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
