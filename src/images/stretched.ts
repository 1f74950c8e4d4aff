import { DEFAULT_MAX_PIXELS, decodeWith, readHeader, readImageFile } from './decode.ts';

/**
 * The whole upright image resized to a square, whatever its aspect, for comparing images with each other.
 * A large JPEG is reduced while it is decoded.
 * @returns [side, side, 3] uint8 RGB
 * @throws ImageError as `decodeImage`.
 */
export async function decodeStretched(
  path: string,
  side: number,
  maxPixels: number = DEFAULT_MAX_PIXELS,
): Promise<Uint8Array> {
  const bytes = await readImageFile(path, maxPixels);
  const header = await readHeader(bytes, '', maxPixels);
  const { data } = await decodeWith(bytes, header, maxPixels, (image) =>
    image.resize(side, side, { fit: 'fill', kernel: 'cubic' }),
  );
  return data;
}

/** Luma of ITU-R BT.601. @param rgb [n, 3] @returns [n], 0 to 255 */
export function luma(rgb: Uint8Array): Float32Array {
  const grey = new Float32Array(rgb.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3)
    grey[i] = 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!;
  return grey;
}
