import { open } from 'node:fs/promises';
import sharp, { type Metadata, type OutputInfo, type Sharp } from 'sharp';
import { InputError } from '../core/errors.ts';
import { fileFormat, type ImageFormat } from './file-format.ts';

/** Pixels as every part of Gleaner sees them. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] uint8, sRGB, upright. */
  readonly data: Uint8Array;
  /** What a person should know: another extension, further frames, a crop of an extreme aspect. */
  readonly warnings: readonly string[];
}

export type ImageFault = 'empty' | 'not-an-image' | 'unsupported' | 'too-large' | 'damaged' | 'unreadable';

/** A file that can't be used, with the reason to list it under. */
export class ImageError extends InputError {
  override name = 'ImageError';
  readonly fault: ImageFault;

  constructor(fault: ImageFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface DecodeOptions {
  /** Width times height, at most. Default 100 million. */
  readonly maxPixels?: number;
  /**
   * A JPEG may be decoded at a half, a quarter or an eighth, as long as its shorter side stays at least this.
   * For randomly augmented training crops only: it is not the resize that evaluation sees.
   */
  readonly shrinkTo?: number;
}

export const DEFAULT_MAX_PIXELS = 100e6;
/** The longer side is at most this many times the shorter; what is beyond is cropped away, evenly at both ends. */
const MAX_ASPECT = 16;
const ALLOWED: readonly ImageFormat[] = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'];
const MAX_FILE_BYTES = 2 ** 30;

// Each file is decoded once, and loaders decode several at a time.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Decodes an image file to 8-bit RGB, by one rule: the first frame; EXIF orientation applied; an embedded profile
 * converted to sRGB; CMYK and grey converted; 16 bits cut to the upper 8; transparency laid over white, so that
 * pixels hidden under it stay hidden.
 * @param source a path, or the bytes of a file
 * @throws ImageError with the reason; the process stays alive and memory bounded whatever the file claims.
 */
export async function decodeImage(source: string | Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  const bytes = typeof source === 'string' ? await readImageFile(source) : source;
  const name = typeof source === 'string' ? source : undefined;
  const { metadata, warnings } = await imageHeader(bytes, name, options.maxPixels ?? DEFAULT_MAX_PIXELS);
  const decode = (failOn: 'warning' | 'error'): Promise<{ data: Buffer; info: OutputInfo }> =>
    pipeline(bytes, metadata, failOn, options).toBuffer({ resolveWithObject: true });
  let result: { data: Buffer; info: OutputInfo };
  try {
    result = await decode('warning');
  } catch {
    try {
      result = await decode('error');
      warnings.push('the file is slightly damaged; what could be read was kept');
    } catch (error) {
      throw new ImageError('damaged', `can't be decoded: ${firstLine(error)}`, { cause: error });
    }
  }
  const { width, height } = result.info;
  const [fullWidth, fullHeight] = uprightSize(metadata);
  if (Math.max(fullWidth, fullHeight) > MAX_ASPECT * Math.min(fullWidth, fullHeight))
    warnings.push(`${fullWidth}x${fullHeight} is longer than ${MAX_ASPECT}:1; cropped to its middle, ${width}x${height}`);
  return { width, height, data: threeChannels(result.data, result.info.channels, width * height), warnings };
}

export interface ImageHeader {
  /** Upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly format: ImageFormat;
  readonly warnings: readonly string[];
}

/** What a file's header says, without decoding its pixels. @throws ImageError as `decodeImage`, but for damage behind the header. */
export async function readImageHeader(
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<ImageHeader> {
  const bytes = typeof source === 'string' ? await readImageFile(source) : source;
  const name = typeof source === 'string' ? source : undefined;
  const { metadata, format, warnings } = await imageHeader(bytes, name, options.maxPixels ?? DEFAULT_MAX_PIXELS);
  const [width, height] = uprightSize(metadata);
  return { width, height, format, warnings };
}

/** The bytes of an image file. @throws ImageError where it can't be read or is no regular file. */
export async function readImageFile(path: string): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>> | undefined;
  try {
    file = await open(path);
    const stat = await file.stat();
    if (!stat.isFile()) throw new ImageError('unreadable', 'is not a file');
    if (stat.size > MAX_FILE_BYTES) throw new ImageError('too-large', `has ${stat.size} bytes, over 1 GiB`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError('unreadable', `can't be read: ${(error as NodeJS.ErrnoException).code ?? firstLine(error)}`, {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

async function imageHeader(
  bytes: Uint8Array,
  name: string | undefined,
  maxPixels: number,
): Promise<{ metadata: Metadata; format: ImageFormat; warnings: string[] }> {
  if (bytes.length === 0) throw new ImageError('empty', 'is empty (0 bytes)');
  const { format, advice } = fileFormat(bytes);
  if (format === undefined) throw new ImageError('not-an-image', 'is not an image');
  if (!ALLOWED.includes(format))
    throw new ImageError('unsupported', `${format.toUpperCase()} is not supported${advice === undefined ? '' : `; ${advice}`}`);
  let metadata: Metadata;
  try {
    // The limit is ours, below: the message then has the figures.
    metadata = await sharp(bytes, { limitInputPixels: false, failOn: 'error' }).metadata();
  } catch (error) {
    throw new ImageError('damaged', `has a damaged header: ${firstLine(error)}`, { cause: error });
  }
  const height = metadata.pageHeight ?? metadata.height;
  if (metadata.width * height > maxPixels)
    throw new ImageError(
      'too-large',
      `claims ${metadata.width}x${height} pixels, over the limit of ${maxPixels / 1e6} megapixels (--max-pixels raises it)`,
    );
  const warnings: string[] = [];
  const extension = name === undefined ? undefined : /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase();
  if (extension !== undefined && EXTENSIONS[extension] !== undefined && EXTENSIONS[extension] !== format)
    warnings.push(`is named .${extension}, but its content is ${format.toUpperCase()}; the content was used`);
  if ((metadata.pages ?? 1) > 1) warnings.push(`has ${metadata.pages} frames or pages; the first was used`);
  return { metadata, format, warnings };
}

const EXTENSIONS: Readonly<Record<string, ImageFormat>> = {
  jpg: 'jpeg',
  jpeg: 'jpeg',
  jpe: 'jpeg',
  jfif: 'jpeg',
  png: 'png',
  webp: 'webp',
  tif: 'tiff',
  tiff: 'tiff',
  gif: 'gif',
  avif: 'avif',
};

function pipeline(bytes: Uint8Array, metadata: Metadata, failOn: 'warning' | 'error', options: DecodeOptions): Sharp {
  const [width, height] = uprightSize(metadata);
  let image = sharp(bytes, { failOn, limitInputPixels: false, page: 0, pages: 1, sequentialRead: true }).autoOrient();
  const shorter = Math.min(width, height);
  const longest = shorter * MAX_ASPECT;
  if (Math.max(width, height) > longest)
    image = image.extract({
      left: Math.floor(Math.max(0, width - longest) / 2),
      top: Math.floor(Math.max(0, height - longest) / 2),
      width: Math.min(width, longest),
      height: Math.min(height, longest),
    });
  else if (options.shrinkTo !== undefined && metadata.format === 'jpeg') {
    const factor = [8, 4, 2].find((f) => Math.floor(shorter / f) >= options.shrinkTo!);
    // libjpeg's own scaling in the frequency domain: exact divisors only, so that nothing else is resampled.
    if (factor !== undefined)
      image = image.resize({ width: Math.ceil(width / factor), height: Math.ceil(height / factor), fit: 'fill', fastShrinkOnLoad: true });
  }
  return image.flatten({ background: '#ffffff' }).toColourspace('srgb').raw({ depth: 'uchar' });
}

/** Width and height after EXIF orientation. */
function uprightSize(metadata: Metadata): [width: number, height: number] {
  const height = metadata.pageHeight ?? metadata.height;
  return (metadata.orientation ?? 1) >= 5 ? [height, metadata.width] : [metadata.width, height];
}

function threeChannels(data: Buffer, channels: number, pixels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++)
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = data[i * channels + (channels < 3 ? 0 : c)]!;
  return rgb;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!.trim().replace(/:$/, '');
}
