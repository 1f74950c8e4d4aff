import type { RandomStream } from '../../core/random.ts';
import type { Size } from '../../images/pixels.ts';
import type { Box } from '../../images/pixels.ts';

/**
 * CutMix's box: sides in proportion to the image's, centre uniform, clipped at the borders (Yun et al. 2019,
 * arXiv:1905.04899, equation 2). May be empty.
 * @param share of the area before clipping, 0..1
 */
export function boxAnywhere({ width, height }: Size, share: number, stream: RandomStream): Box {
  const side = Math.sqrt(share);
  const along = (length: number): [number, number] => {
    const extent = Math.floor(length * side);
    const low = stream.integer(length) - Math.floor(extent / 2);
    return [Math.max(0, low), Math.min(length, low + extent)];
  };
  const [left, right] = along(width);
  const [top, bottom] = along(height);
  return { left, top, width: right - left, height: bottom - top };
}

/** Copies the same place of another image. */
export function pasteBox(source: Uint8Array, width: number, box: Box, into: Uint8Array): void {
  for (let y = box.top; y < box.top + box.height; y++) {
    const from = (y * width + box.left) * 3;
    into.set(source.subarray(from, from + box.width * 3), from);
  }
}
