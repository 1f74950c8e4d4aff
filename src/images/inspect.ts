import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { DEFAULT_MAX_PIXELS, readHeader, readImageFile, withImageFile, type ImageHeader } from './decode.ts';
import { SNIFF_BYTES, sniffFormat } from './format.ts';
import { storedSize } from './header.ts';
import { ImageError } from './image-error.ts';

/** Files up to this size are read and hashed whole. */
const WHOLE_BYTES = 256 << 10;
const HEAD_BYTES = 192 << 10;
const TAIL_BYTES = 64 << 10;

export interface InspectedImage extends ImageHeader {
  /** Of the file. */
  readonly bytes: number;
  /** SHA-256 of the content; of a file over 256 KB, of its size, its first 192 KB and its last 64 KB. */
  readonly contentKey: string;
}

/**
 * What an image file says of itself, without decoding it and, where it is large, without reading all of it.
 * @throws ImageError with the reason why it is not taken.
 */
export async function inspectImage(path: string, maxPixels: number = DEFAULT_MAX_PIXELS): Promise<InspectedImage> {
  return withImageFile(path, async (file, size) => {
    const whole = size <= WHOLE_BYTES;
    const head = await readAt(file, 0, whole ? size : HEAD_BYTES);
    const hash = createHash('sha256');
    if (!whole) hash.update(`${size}\n`);
    hash.update(head);
    if (!whole) hash.update(await readAt(file, size - TAIL_BYTES, TAIL_BYTES));
    const contentKey = hash.digest('hex');
    const format = sniffFormat(head.subarray(0, SNIFF_BYTES));
    // The announced size may lie behind a large colour profile, or in the decoder's hands.
    const enough = whole || ((format === 'jpeg' || format === 'png') && storedSize(format, head) !== undefined);
    const header = await readHeader(enough ? head : await readImageFile(path, maxPixels), path, maxPixels);
    return { ...header, bytes: size, contentKey };
  });
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new ImageError('unreadable', 'it became shorter while it was read');
    done += bytesRead;
  }
  return buffer;
}
