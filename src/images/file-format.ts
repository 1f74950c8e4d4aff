/** What a file is by its first bytes, whatever its name says. */

export type ImageFormat =
  | 'jpeg'
  | 'png'
  | 'webp'
  | 'tiff'
  | 'gif'
  | 'avif'
  | 'heic'
  | 'bmp'
  | 'svg'
  | 'pdf'
  | 'jxl'
  | 'jp2'
  | 'psd'
  | 'ico';

export interface FileFormat {
  /** Undefined where it is no image that we know. */
  readonly format: ImageFormat | undefined;
  /** What to do with a format that is not read. */
  readonly advice?: string;
}

/** @param bytes the start of a file; 64 bytes are enough for all but SVG */
export function fileFormat(bytes: Uint8Array): FileFormat {
  const ascii = (start: number, end: number): string => String.fromCharCode(...bytes.subarray(start, end));
  const starts = (...values: readonly number[]): boolean => values.every((value, i) => bytes[i] === value);
  if (starts(0xff, 0xd8, 0xff) || (starts(0xff, 0xd8) && bytes.length < 4)) return { format: 'jpeg' };
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return { format: 'png' };
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return { format: 'webp' };
  if (ascii(0, 4) === 'GIF8') return { format: 'gif' };
  // 42: classic TIFF; 43: BigTIFF.
  if (
    starts(0x49, 0x49, 0x2a, 0) ||
    starts(0x4d, 0x4d, 0, 0x2a) ||
    starts(0x49, 0x49, 0x2b, 0) ||
    starts(0x4d, 0x4d, 0, 0x2b)
  )
    return { format: 'tiff' };
  if (ascii(4, 8) === 'ftyp') return isoMediaFormat(bytes, ascii);
  if (ascii(0, 2) === 'BM' && bytes.length >= 26)
    return { format: 'bmp', advice: 'convert it: `magick in.bmp out.png`' };
  if (ascii(0, 4) === '%PDF') return { format: 'pdf', advice: 'export its pages as PNG or JPEG' };
  if (ascii(0, 4) === '8BPS') return { format: 'psd', advice: 'export it as PNG' };
  if (starts(0, 0, 1, 0) && bytes.length >= 22) return { format: 'ico', advice: 'export it as PNG' };
  if (starts(0xff, 0x0a) || ascii(4, 12) === 'JXL \r\n\x87\n')
    return { format: 'jxl', advice: 'convert it: `djxl in.jxl out.png`' };
  if (ascii(4, 8) === 'jP  ') return { format: 'jp2', advice: 'convert it: `magick in.jp2 out.png`' };
  const head = new TextDecoder('utf-8').decode(bytes.subarray(0, 1024)).trimStart().toLowerCase();
  if (head.startsWith('<svg') || (head.startsWith('<?xml') && head.includes('<svg')))
    return { format: 'svg', advice: 'draw it to a PNG first' };
  return { format: undefined };
}

/** AVIF and HEIC share a container; the brands in its first box tell them apart. */
function isoMediaFormat(bytes: Uint8Array, ascii: (start: number, end: number) => string): FileFormat {
  const length = Math.min(
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0),
    256,
    bytes.length,
  );
  const brands = [ascii(8, 12)];
  for (let offset = 16; offset + 4 <= length; offset += 4) brands.push(ascii(offset, offset + 4));
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return { format: 'avif' };
  if (brands.some((brand) => /^(hei[cxms]|hev[cxms]|mif1|msf1)$/.test(brand)))
    return {
      format: 'heic',
      advice: 'convert it: `heif-convert in.heic out.jpg`, or set the phone to "most compatible"',
    };
  return { format: undefined };
}
