import {
  DEFAULT_MAX_PIXELS,
  decodeWith,
  readHeader,
  readImageFile,
  type DecodedImage,
  type DecodeOptions,
} from './decode.ts';

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
  const { maxPixels = DEFAULT_MAX_PIXELS } = options;
  const bytes = typeof source === 'string' ? await readImageFile(source, maxPixels) : source;
  const header = await readHeader(bytes, typeof source === 'string' ? source : '', maxPixels);
  const box = { width: shorterSide, height: shorterSide, fit: 'outside', withoutEnlargement: true } as const;
  const { data, info } = await decodeWith(bytes, header, maxPixels, (image) => image.resize(box));
  return { width: info.width, height: info.height, data, format: header.format, warnings: header.warnings };
}
