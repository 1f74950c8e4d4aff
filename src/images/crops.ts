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

/**
 * Cuts `box` out of an image and resizes it to `size` with an antialiased bilinear filter (Pillow's BILINEAR:
 * a triangle, as wide as the shrinking asks for), mirrored on request. Runs on training crops only.
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
  const [outHeight, outWidth] = size;
  const across = filter(box.width, outWidth);
  const down = filter(box.height, outHeight);
  // Rows first: each source row of the box is shrunk or stretched once.
  const rows = new Float32Array(box.height * outWidth * 3);
  for (let y = 0; y < box.height; y++) {
    const start = ((box.top + y) * width + box.left) * 3;
    for (let x = 0; x < outWidth; x++) {
      const first = across.first[x]!;
      const taps = across.count[x]!;
      let [r, g, b] = [0, 0, 0];
      for (let k = 0, at = start + first * 3, w = x * across.taps; k < taps; k++, at += 3, w++) {
        const weight = across.weights[w]!;
        r += weight * pixels[at]!;
        g += weight * pixels[at + 1]!;
        b += weight * pixels[at + 2]!;
      }
      const to = (y * outWidth + (flip ? outWidth - 1 - x : x)) * 3;
      rows[to] = r;
      rows[to + 1] = g;
      rows[to + 2] = b;
    }
  }
  const stride = outWidth * 3;
  const sum = new Float32Array(stride);
  for (let y = 0; y < outHeight; y++) {
    sum.fill(0.5);
    for (let k = 0; k < down.count[y]!; k++) {
      const weight = down.weights[y * down.taps + k]!;
      const row = (down.first[y]! + k) * stride;
      for (let i = 0; i < stride; i++) sum[i]! += weight * rows[row + i]!;
    }
    // Weights are positive and sum to 1: nothing leaves 0..255.
    for (let i = 0, to = offset + y * stride; i < stride; i++) into[to + i] = sum[i]!;
  }
}

interface Filter {
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [out, taps] */
  readonly weights: Float32Array;
}

/** Filters of recent sizes: a batch asks for the same few again and again. */
const filters = new Map<number, Filter>();

function filter(from: number, to: number): Filter {
  const key = from * 65536 + to;
  const known = filters.get(key);
  if (known !== undefined) return known;
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float32Array(to * taps);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - reach + 0.5));
    const high = Math.min(from, Math.trunc(centre + reach + 0.5));
    let total = 0;
    for (let j = low; j < high; j++) {
      const weight = Math.max(0, 1 - Math.abs((j - centre + 0.5) / reach));
      weights[i * taps + j - low] = weight;
      total += weight;
    }
    for (let k = 0; k < high - low; k++) weights[i * taps + k]! /= total;
    first[i] = low;
    count[i] = high - low;
  }
  const made = { taps, first, count, weights };
  if (filters.size > 512) filters.clear();
  filters.set(key, made);
  return made;
}
