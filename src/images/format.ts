import { ImageError } from './image-error.ts';

/** The formats that are decoded. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'tiff' | 'gif' | 'avif';

/** Names as people write them, for messages. */
export const FORMAT_NAMES: Readonly<Record<ImageFormat, string>> = {
  jpeg: 'JPEG',
  png: 'PNG',
  webp: 'WebP',
  tiff: 'TIFF',
  gif: 'GIF',
  avif: 'AVIF',
};

/** How many of a file's first bytes `sniffFormat` looks at. */
export const SNIFF_BYTES = 1024;

const EXTENSIONS: Readonly<Record<string, ImageFormat | 'refused'>> = {
  jpg: 'jpeg',
  jpeg: 'jpeg',
  jpe: 'jpeg',
  jfif: 'jpeg',
  png: 'png',
  apng: 'png',
  webp: 'webp',
  tif: 'tiff',
  tiff: 'tiff',
  gif: 'gif',
  avif: 'avif',
  // Named here so that a person learns why they are left out; other files in a data folder are not images.
  heic: 'refused',
  heif: 'refused',
  bmp: 'refused',
  dib: 'refused',
  svg: 'refused',
  pdf: 'refused',
  jxl: 'refused',
  jp2: 'refused',
  j2k: 'refused',
  psd: 'refused',
  ico: 'refused',
  ppm: 'refused',
  pgm: 'refused',
  exr: 'refused',
  hdr: 'refused',
  dcm: 'refused',
  cr2: 'refused',
  nef: 'refused',
  arw: 'refused',
  dng: 'refused',
};

/** Whether a file of this name is meant as an image, decodable or not. */
export function hasImageExtension(name: string): boolean {
  return Object.hasOwn(EXTENSIONS, extensionOf(name));
}

/** A warning where the extension says another format than the content, else undefined. */
export function extensionWarning(name: string, format: ImageFormat): string | undefined {
  const extension = extensionOf(name);
  // A raw photo or a DNG is a TIFF container by design.
  if (extension === '' || EXTENSIONS[extension] === format) return undefined;
  return `the name ends in .${extension}, the content is ${FORMAT_NAMES[format]} and was read as that`;
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot <= 0 || name.includes('/', dot) ? '' : name.slice(dot + 1).toLowerCase();
}

/**
 * The format that the first bytes tell, whatever the file is called.
 * @param head the first `SNIFF_BYTES` of the file, or all of a shorter one.
 * @throws ImageError `empty`, `not-an-image`, `truncated` (no more than a signature), `unsupported` or `convert`.
 */
export function sniffFormat(head: Uint8Array): ImageFormat {
  if (head.length === 0) throw new ImageError('empty', 'the file is empty (0 bytes)');
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text === '\xff\xd8') throw new ImageError('truncated', 'the JPEG ends after its first two bytes');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'gif';
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'webp';
  // Classic TIFF and BigTIFF, both byte orders.
  if (/^(?:II[*+]\0|MM\0[*+])/.test(text)) return 'tiff';
  if (text.startsWith('ftyp', 4)) return sniffContainer(text);
  throw refusal(text);
}

/** ISO base media files: the brands tell AVIF from HEIC and from video. */
function sniffContainer(text: string): 'avif' {
  const size = Buffer.from(text.slice(0, 4), 'latin1').readUInt32BE(0);
  const box = text.slice(8, Math.max(12, Math.min(size, text.length)));
  const brands = [box.slice(0, 4)];
  for (let at = 8; at + 4 <= box.length; at += 4) brands.push(box.slice(at, at + 4));
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'avif';
  if (brands.some((brand) => /^(?:hei[cxms]|hev[cxms]|mif1|msf1)$/.test(brand)))
    throw new ImageError(
      'convert',
      'HEIC is not read here (its codec is patented); convert it first, for instance: heif-convert IN.heic OUT.jpg, or on macOS: sips -s format jpeg IN.heic --out OUT.jpg',
    );
  throw new ImageError('unsupported', `a video or container of brand "${printable(brands[0]!)}", not an image`);
}

const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^%PDF-/, 'PDF'],
  [/^(?:\xff\x0a|\0\0\0\x0cJXL )/, 'JPEG XL'],
  [/^\0\0\0\x0cjP {2}/, 'JPEG 2000'],
  [/^\xff\x4f\xff\x51/, 'JPEG 2000'],
  [/^8BPS/, 'Photoshop (PSD)'],
  [/^\0\0[\x01\x02]\0/, 'icon (ICO)'],
  [/^P[1-7][\s#]/, 'Netpbm (PPM)'],
  [/^v\/1\x01/, 'OpenEXR'],
  [/^#\?(?:RADIANCE|RGBE)/, 'Radiance HDR'],
  [/^SIMPLE {2}=/, 'FITS'],
  [/^(?:\xb6\xa6\xf2\x08|\x08\xf2\xa6\xb6)/, 'libvips'],
  [/^[\s\S]{128}DICM/, 'DICOM'],
  [/^PK\x03\x04/, 'ZIP'],
  [/^\x1f\x8b/, 'gzip'],
];

function refusal(text: string): ImageError {
  if (isBitmap(text))
    return new ImageError(
      'convert',
      'BMP is not read here; convert it first, for instance with ImageMagick: magick IN.bmp OUT.png',
    );
  for (const [signature, name] of REFUSED)
    if (signature.test(text))
      return new ImageError('unsupported', `${name} is not read here; allowed are JPEG, PNG, WebP, TIFF, GIF and AVIF`);
  const start = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^(?:<\?xml|<!--|<!DOCTYPE svg|<svg)/i.test(start) && /<(?:!DOCTYPE )?(?:\w+:)?svg/i.test(start))
    return new ImageError('unsupported', 'SVG is not read here; allowed are JPEG, PNG, WebP, TIFF, GIF and AVIF');
  if (/^(?:<!DOCTYPE html|<html|<head|<body)/i.test(start))
    return new ImageError('not-an-image', 'the file is an HTML page, not an image (a failed download?)');
  // Control characters other than white space don't occur in text.
  // oxlint-disable-next-line no-control-regex
  if (!/[\0-\x08\x0e-\x1f\x7f]/.test(text)) return new ImageError('not-an-image', 'the file is text, not an image');
  return new ImageError(
    'not-an-image',
    `the content is that of no known image format (it begins with ${hex(text)}); allowed are JPEG, PNG, WebP, TIFF, GIF and AVIF`,
  );
}

/** "BM" alone also begins many a text; the size of the second header has only a few values. */
function isBitmap(text: string): boolean {
  return text.startsWith('BM') && text.length > 18 && [12, 16, 40, 52, 56, 64, 108, 124].includes(text.charCodeAt(14));
}

function hex(text: string): string {
  return Buffer.from(text.slice(0, 8), 'latin1').toString('hex');
}

function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?');
}
