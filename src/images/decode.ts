import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import sharp, { type FailOnOptions, type OutputInfo, type Region, type Sharp, type SharpOptions } from 'sharp';
import { timed, type Track } from '../core/profile.ts';
import { extensionWarning, FORMAT_NAMES, SNIFF_BYTES, sniffFormat, type ImageFormat } from './format.ts';
import { storedSize, type StoredSize } from './header.ts';
import { ImageError } from './image-error.ts';

// One image, one thread: parallelism comes from decoding several images at once. The cache of libvips
// keys files by name, so that a file replaced in between would come out as it was.
sharp.cache(false);
sharp.concurrency(1);

/** Images of more pixels are refused before a pixel is decoded. */
export const DEFAULT_MAX_PIXELS = 100_000_000;

/** A longer side over this many times the shorter is cropped to that ratio around the centre. */
export const MAX_ASPECT = 16;

/** Beyond this an uncompressed 16-bit image of the largest size allowed would still fit. */
const MAX_BYTES_PER_PIXEL = 8;
const MAX_BYTES_BESIDE_PIXELS = 64 << 20;

// Opening a pipe must not wait for its writer. Windows has no such flag, nor such pipes.
const NON_BLOCKING_READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
  EISDIR: 'a folder, not a file',
  ELOOP: 'a link that leads back to itself',
};

export interface DecodeOptions {
  /** Default 100 million (width times height, as stored). */
  readonly maxPixels?: number;
  /** Measures reading and decoding. */
  readonly track?: Track | undefined;
}

/** An upright image in 8-bit sRGB. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] uint8, RGB. */
  readonly data: Uint8Array;
  readonly format: ImageFormat;
  /** What a person should know (first frame of several, cropped, another format than the name says). */
  readonly warnings: readonly string[];
}

/** What is known of a file before decoding it. */
export interface ImageHeader extends StoredSize {
  readonly format: ImageFormat;
  /** More than 1: an animation or several pages, of which the first is used. */
  readonly frames: number;
  readonly warnings: readonly string[];
}

/**
 * Decodes an image by the one rule used everywhere in Gleaner:
 * 1. The format is told by the content, not by the name: JPEG, PNG, WebP, TIFF, GIF, AVIF; nothing else.
 * 2. The announced size is checked before decoding; damage of any kind is refused, never painted over.
 * 3. Of several frames or pages the first is taken.
 * 4. EXIF orientation is applied.
 * 5. Colours are converted to sRGB by the embedded profile; without one, CMYK by libvips' built-in
 *    press profile, Lab by its definition, and RGB and grey are taken as sRGB already.
 * 6. Alpha (also of a palette, or one transparent colour) is composited over white at full depth, on
 *    the encoded values, so that what lies hidden under transparent pixels stays hidden.
 * 7. 16-bit samples keep their upper 8 bits; 1-, 2- and 4-bit samples span 0 to 255; grey becomes R = G = B.
 * 8. A longer side over 16 times the shorter is cropped to that ratio around the centre
 *    (from offset floor((longer - 16 shorter) / 2) of the upright image).
 *
 * @param source a path, or the bytes of a file.
 * @throws ImageError with the reason.
 * @example
 * const { width, height, data } = await decodeImage('photo.jpg');
 */
export async function decodeImage(source: string | Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  return decodeSource(source, options, (image) => image);
}

/** Reads a source and decodes it with `decodeWith`. For the kernels of this folder only. */
export async function decodeSource(
  source: string | Uint8Array,
  options: DecodeOptions,
  step: (image: Sharp) => Sharp,
): Promise<DecodedImage> {
  const { maxPixels = DEFAULT_MAX_PIXELS, track } = options;
  const isPath = typeof source === 'string';
  const bytes = isPath ? await timed(track, 'read', () => readImageFile(source, maxPixels), 1) : source;
  const decode = async (): Promise<DecodedImage> => {
    const header = await readHeader(bytes, isPath ? source : '', maxPixels);
    const { data, info } = await decodeWith(bytes, header, maxPixels, step);
    return { width: info.width, height: info.height, data, format: header.format, warnings: header.warnings };
  };
  return timed(track, 'decode', decode, 1);
}

/**
 * Format, size and number of frames, with every check that needs no decoding.
 * @param name for the warning about its extension; empty for none.
 * @throws ImageError
 */
export async function readHeader(bytes: Uint8Array, name: string, maxPixels: number): Promise<ImageHeader> {
  const format = sniffFormat(bytes.subarray(0, SNIFF_BYTES));
  let size = storedSize(format, bytes);
  if (size !== undefined) checkPixels(size, maxPixels);
  let frames = 1;
  // A JPEG or PNG has one frame (the frames of an APNG are not read), so its header tells all.
  if (size === undefined || (format !== 'jpeg' && format !== 'png')) {
    // Without the decoder's own limit: the message about ours has the figures.
    const metadata = await guarded(format, bytes, () =>
      sharp(bytes, { ...inputOptions(maxPixels), limitInputPixels: false }).metadata(),
    );
    size = { width: metadata.width, height: metadata.height };
    frames = metadata.pages ?? 1;
    checkPixels(size, maxPixels);
  }
  const warnings: string[] = [];
  const renamed = name === '' ? undefined : extensionWarning(name, format);
  if (renamed !== undefined) warnings.push(renamed);
  if (frames > 1) warnings.push(`the ${FORMAT_NAMES[format]} has several frames or pages: the first is used`);
  if (isExtreme(size))
    warnings.push(`the longer side is over ${MAX_ASPECT} times the shorter: cropped to that around the centre`);
  return { ...size, format, frames, warnings };
}

/** Reads a plain file whole, after a look at its size. @throws ImageError */
export async function readImageFile(path: string, maxPixels: number): Promise<Buffer> {
  return withImageFile(path, async (file, size) => {
    const limit = maxPixels * MAX_BYTES_PER_PIXEL + MAX_BYTES_BESIDE_PIXELS;
    if (size > limit) throw new ImageError('too-large', `the file has ${size} bytes; at most ${limit} are read`);
    return file.readFile();
  });
}

/** Opens a plain file (no pipe, no device: those would wait for ever). @throws ImageError `unreadable` */
export async function withImageFile<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, NON_BLOCKING_READ);
    const info = await file.stat();
    if (!info.isFile()) throw new ImageError('unreadable', 'not a file but a folder, pipe or device');
    return await read(file, info.size);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImageError('unreadable', UNREADABLE[code ?? ''] ?? message, { cause: error });
  } finally {
    await file?.close();
  }
}

/**
 * Runs `step` behind the conversion above and returns its pixels, [height, width, 3] uint8.
 * For the kernels of this folder only.
 */
export async function decodeWith(
  bytes: Uint8Array,
  header: ImageHeader,
  maxPixels: number,
  step: (image: Sharp) => Sharp,
): Promise<{ data: Uint8Array; info: OutputInfo }> {
  const decode = async (failOn: FailOnOptions): Promise<{ data: Uint8Array; info: OutputInfo }> => {
    const image = sharp(bytes, { ...inputOptions(maxPixels), failOn, autoOrient: true });
    const cropped = isExtreme(header) ? image.extract(centralRegion(await uprightSize(image, header))) : image;
    const { data, info } = await step(cropped.flatten({ background: '#ffffff' }).toColourspace('srgb'))
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3)
      throw new ImageError('corrupt', `expected 3 channels after conversion, got ${info.channels}`);
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), info };
  };
  return guarded(header.format, bytes, () =>
    decode('warning').catch((error: Error) => {
      if (STRAY_BYTES.test(error.message)) return decode('error');
      throw error;
    }),
  );
}

/**
 * Bytes between the segments of a JPEG, or behind its last pixel: some cameras and editors leave them. No pixel
 * is touched, unlike with such bytes before a restart marker (0xd0 to 0xd7).
 */
const STRAY_BYTES = /^(?!.*before marker 0xd[0-7]).*extraneous bytes before marker/s;

async function uprightSize(image: Sharp, { width, height }: StoredSize): Promise<StoredSize> {
  const { orientation = 1 } = await image.metadata();
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

function centralRegion({ width, height }: StoredSize): Region {
  const [cropWidth, cropHeight] = [Math.min(width, MAX_ASPECT * height), Math.min(height, MAX_ASPECT * width)];
  return {
    left: Math.floor((width - cropWidth) / 2),
    top: Math.floor((height - cropHeight) / 2),
    width: cropWidth,
    height: cropHeight,
  };
}

function inputOptions(maxPixels: number): SharpOptions {
  return { failOn: 'warning', limitInputPixels: maxPixels, sequentialRead: true };
}

function isExtreme({ width, height }: StoredSize): boolean {
  return Math.max(width, height) > MAX_ASPECT * Math.min(width, height);
}

function checkPixels({ width, height }: StoredSize, maxPixels: number): void {
  if (width * height > maxPixels)
    throw new ImageError(
      'too-large',
      `the header announces ${width} x ${height} pixels (${((width * height) / 1e6).toFixed(0)} megapixels); ` +
        `at most ${(maxPixels / 1e6).toFixed(0)} are decoded (--max-pixels raises it)`,
    );
}

/** Turns what libvips says into an `ImageError`. */
async function guarded<T>(format: ImageFormat, bytes: Uint8Array, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const text = (error as Error).message;
    const said = text
      .replace(/^Input (?:buffer|file) has corrupt header:/, '')
      .split('\n')
      .map((line) => line.trim());
    const reason =
      said.find((line) => line !== '' && !line.startsWith('Warning treated')) ?? 'its header does not parse';
    const what = FORMAT_NAMES[format];
    throw isCut(format, bytes, text)
      ? new ImageError('truncated', `the ${what} is cut short (${reason})`, { cause: error })
      : new ImageError('corrupt', `the ${what} is damaged (${reason})`, { cause: error });
  }
}

function isCut(format: ImageFormat, bytes: Uint8Array, message: string): boolean {
  // libpng says the same of a missing end and of a wrong byte; a whole PNG ends with its last chunk.
  if (format === 'png') return !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('IEND');
  return /premature end|truncated|not enough data|unexpected end|end of (?:file|stream)/i.test(message);
}
