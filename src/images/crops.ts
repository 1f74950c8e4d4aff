import type { RandomStream } from '../core/random.ts';

/** A rectangle in pixels of the source; whole numbers, inside the image. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface RandomCropRange {
  /** Area of the crop as a share of the image's, least and most. torchvision's default: 0.08 to 1. */
  readonly scale: readonly [number, number];
  /** Width by height of the crop, least and most. torchvision's default: 3/4 to 4/3. */
  readonly ratio: readonly [number, number];
}

/**
 * The box of a random resized crop ("Inception crop"; torchvision's `RandomResizedCrop.get_params`): area uniform,
 * aspect log-uniform, ten tries, then the largest centred box within the range of aspects.
 */
export function randomCropBox(width: number, height: number, range: RandomCropRange, stream: RandomStream): Box {
  const { scale, ratio } = range;
  const [logLow, logHigh] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (scale[0] + (scale[1] - scale[0]) * stream.uniform());
    const aspect = Math.exp(logLow + (logHigh - logLow) * stream.uniform());
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { left: stream.integer(width - w + 1), top: stream.integer(height - h + 1), width: w, height: h };
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width;
  const h = aspect < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** Weights are whole numbers of this many: products with bytes and their sums stay within 32 bits. */
const ONE = 1 << 15;
const HALF = ONE >> 1;

/**
 * Cuts `box` out of an image and resizes it to `size` with an antialiased bilinear filter (Pillow's BILINEAR:
 * a triangle, as wide as the shrinking asks for), mirrored on request. Runs on training crops only. As in
 * Pillow, weights are whole numbers and what lies between the two passes is 8-bit.
 * @param pixels [height, width, 3] uint8
 * @param into where the [size[0], size[1], 3] result goes, from `offset`
 */
export function resizedCrop(
  pixels: Uint8Array,
  width: number,
  box: Box,
  size: readonly [height: number, width: number],
  flip: boolean,
  into: Uint8Array,
  offset = 0,
): void {
  const stride = size[1] * 3;
  if (between.length < box.height * stride) between = new Uint8Array(box.height * stride);
  resizeRows(pixels, width, box, filter(box.width, size[1]), flip, between);
  resizeColumns(between, stride, filter(box.height, size[0]), into, offset);
}

/** What lies between the two passes; grown as needed and used again. */
let between = new Uint8Array(0);

function resizeRows(
  pixels: Uint8Array,
  width: number,
  box: Box,
  { taps, first, weights }: Filter,
  flip: boolean,
  rows: Uint8Array,
): void {
  const outWidth = first.length;
  const step = flip ? -3 : 3;
  for (let y = 0; y < box.height; y++) {
    const start = ((box.top + y) * width + box.left) * 3;
    let to = (y * outWidth + (flip ? outWidth - 1 : 0)) * 3;
    if (taps === 2)
      // Enlarging, the common case: two neighbours.
      for (let x = 0; x < outWidth; x++, to += step) {
        const at = start + first[x]! * 3;
        const one = weights[x * 2]!;
        const two = weights[x * 2 + 1]!;
        rows[to] = (HALF + one * pixels[at]! + two * pixels[at + 3]!) >> 15;
        rows[to + 1] = (HALF + one * pixels[at + 1]! + two * pixels[at + 4]!) >> 15;
        rows[to + 2] = (HALF + one * pixels[at + 2]! + two * pixels[at + 5]!) >> 15;
      }
    else
      for (let x = 0; x < outWidth; x++, to += step) {
        let r = HALF;
        let g = HALF;
        let b = HALF;
        for (let k = 0, at = start + first[x]! * 3, w = x * taps; k < taps; k++, at += 3, w++) {
          const weight = weights[w]!;
          r += weight * pixels[at]!;
          g += weight * pixels[at + 1]!;
          b += weight * pixels[at + 2]!;
        }
        rows[to] = r >> 15;
        rows[to + 1] = g >> 15;
        rows[to + 2] = b >> 15;
      }
  }
}

function resizeColumns(
  rows: Uint8Array,
  stride: number,
  { taps, first, weights }: Filter,
  into: Uint8Array,
  offset: number,
): void {
  const sum = new Int32Array(stride);
  for (let y = 0, to = offset; y < first.length; y++, to += stride) {
    const start = first[y]! * stride;
    if (taps === 2) {
      const one = weights[y * 2]!;
      const two = weights[y * 2 + 1]!;
      for (let i = 0, at = start, below = start + stride; i < stride; i++, at++, below++)
        into[to + i] = (HALF + one * rows[at]! + two * rows[below]!) >> 15;
      continue;
    }
    sum.fill(HALF);
    for (let k = 0, at = start; k < taps; k++) {
      const weight = weights[y * taps + k]!;
      for (let i = 0; i < stride; i++, at++) sum[i]! += weight * rows[at]!;
    }
    for (let i = 0; i < stride; i++) into[to + i] = sum[i]! >> 15;
  }
}

interface Filter {
  /** Source pixels that every result is made of; at the borders some have no weight. */
  readonly taps: number;
  /** The first of them, for each result; all lie within the source. */
  readonly first: Int32Array;
  /** [out, taps], in parts of `ONE`. */
  readonly weights: Int32Array;
}

/** Filters of recent sizes: a batch asks for the same few again and again. */
const filters = new Map<number, Filter>();

function filter(from: number, to: number): Filter {
  const key = from * 65536 + to;
  const known = filters.get(key);
  if (known !== undefined) return known;
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const bounds = Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - reach + 0.5));
    return { centre, low, high: Math.min(from, Math.trunc(centre + reach + 0.5)) };
  });
  const taps = Math.max(...bounds.map(({ low, high }) => high - low));
  const first = new Int32Array(to);
  const weights = new Int32Array(to * taps);
  for (const [i, { centre, low, high }] of bounds.entries()) {
    const share = Array.from({ length: high - low }, (_, k) =>
      Math.max(0, 1 - Math.abs((low + k - centre + 0.5) / reach)),
    );
    const total = share.reduce((sum, value) => sum + value, 0);
    first[i] = Math.min(low, from - taps);
    for (const [k, value] of share.entries())
      weights[i * taps + low - first[i]! + k] = Math.round((value / total) * ONE);
  }
  const made = { taps, first, weights };
  if (filters.size > 512) filters.clear();
  filters.set(key, made);
  return made;
}
