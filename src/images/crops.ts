import type { RandomStream } from '../core/random.ts';
import { fastKernels } from './fast-kernels.ts';
import type { Box } from './pixels.ts';
import { filterOf } from './resample.ts';

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
  [height, wide]: readonly [height: number, width: number],
  flip: boolean,
  into: Uint8Array,
  offset = 0,
): void {
  const { take, buffer, resample } = fastKernels();
  const source = take({ width, height: pixels.length / (width * 3), data: pixels }, box);
  const across = { from: box.width, to: wide, scale: box.width / wide, offset: 0 };
  const mirrored = { ...across, scale: -across.scale, offset: box.width };
  const between = buffer({ width: wide, height: box.height }, source);
  const result = buffer({ width: wide, height }, source, between);
  resample(
    source,
    filterOf(flip ? mirrored : across, 'bilinear', true),
    filterOf({ from: box.height, to: height, scale: box.height / height, offset: 0 }, 'bilinear', true),
    between,
    result,
  );
  into.set(result.data, offset);
}
