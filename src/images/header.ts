import { ImageError } from './image-error.ts';
import type { ImageFormat } from './format.ts';

/** Width and height as stored: EXIF orientation is not applied. */
export interface StoredSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The size that a JPEG, PNG, GIF or WebP announces, read from its first bytes without decoding anything.
 * Undefined where the size lies behind the end of `head` (give the whole file then), or where the format
 * (TIFF, AVIF) keeps it in a structure that is left to the decoder.
 * @throws ImageError `corrupt` where the header breaks its format.
 */
export function storedSize(format: ImageFormat, head: Uint8Array): StoredSize | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const size = readers[format]?.(bytes);
  if (size !== undefined && (size.width === 0 || size.height === 0))
    throw new ImageError('corrupt', `the header announces an image of ${size.width} x ${size.height} pixels`);
  return size;
}

const readers: Readonly<Partial<Record<ImageFormat, (bytes: Buffer) => StoredSize | undefined>>> = {
  jpeg: jpegSize,
  png: pngSize,
  gif: gifSize,
  webp: webpSize,
};

/** ISO/IEC 10918-1, annex B: segments up to the first frame header. */
function jpegSize(bytes: Buffer): StoredSize | undefined {
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) {
      // Stray bytes between segments: decoders skip them with a warning, so look for the next marker.
      at++;
      continue;
    }
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker === 0 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else if (marker === 0xd9 || marker === 0xda) throw new ImageError('corrupt', 'the JPEG has no frame header');
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return at + 9 <= bytes.length
        ? { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) }
        : undefined;
    else at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

function pngSize(bytes: Buffer): StoredSize | undefined {
  if (bytes.length < 24) return undefined;
  if (bytes.toString('latin1', 12, 16) !== 'IHDR')
    throw new ImageError('corrupt', 'the PNG does not begin with its header chunk (IHDR)');
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function gifSize(bytes: Buffer): StoredSize | undefined {
  return bytes.length < 10 ? undefined : { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
}

/** The three kinds of first chunk: lossy, lossless, extended (RFC 9649). */
function webpSize(bytes: Buffer): StoredSize | undefined {
  if (bytes.length < 30) return undefined;
  const chunk = bytes.toString('latin1', 12, 16);
  if (chunk === 'VP8 ') return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
  if (chunk === 'VP8X') return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
  if (chunk !== 'VP8L') throw new ImageError('corrupt', 'the WebP begins with no chunk of pixels');
  const bits = bytes.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}
