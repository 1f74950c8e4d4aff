import { decodeSource, type DecodedImage, type DecodeOptions } from './decode.ts';

/**
 * As `decodeImage`, but an image whose shorter side is longer than `shorterSide` is shrunk to it while it
 * is decoded, several times as fast for large JPEGs. The filter is libvips', so this serves randomly augmented
 * training crops only; everything else sees the image through the crop graph.
 * @throws ImageError with the reason.
 */
export async function decodeShrunk(
  source: string | Uint8Array,
  shorterSide: number,
  options: DecodeOptions = {},
): Promise<DecodedImage> {
  const box = { width: shorterSide, height: shorterSide, fit: 'outside', withoutEnlargement: true } as const;
  return decodeSource(source, options, (image) => image.resize(box));
}
