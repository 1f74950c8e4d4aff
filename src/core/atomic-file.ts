import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, RunError } from './errors.ts';

/**
 * Files that are whole or absent: written under a temporary name in the same folder, synced, renamed,
 * and the folder synced. A power cut or a full disk leaves the previous file as it was.
 */

const TEMPORARY_PREFIX = '.gleaner-tmp-';
/** Nothing is ever being written for this long; a temporary file that old belongs to a process that was killed. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Replaces `path` by `data`; its folder is made where it is missing.
 * @throws RunError that names the file and the reason (disk full, read-only, no permission).
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  await writePartsAtomic(path, [data]);
}

/** As `writeFileAtomic`, from several pieces in a row, so that a large file need not be joined in memory. */
export async function writePartsAtomic(
  path: string,
  parts: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      for await (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new RunError(`Can't save ${path}: ${reasonOf(error)}. A file that was there before is as it was.`, {
      cause: error,
    });
  }
}

/** Length of what `writeChecksummedFile` adds: a newline, `sha256:`, 64 hex digits, a newline. */
const FOOTER_LENGTH = 73;

/** As `writeFileAtomic`, with a SHA-256 of the content behind it; for `readChecksummedFile` only. */
export async function writeChecksummedFile(path: string, data: Uint8Array): Promise<void> {
  await writePartsAtomic(path, [data, `\nsha256:${sha256(data)}\n`]);
}

/** @throws FormatError where the file is cut short or a byte differs from what was written. */
export async function readChecksummedFile(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path);
  const end = bytes.length - FOOTER_LENGTH;
  const footer = end < 0 ? '' : bytes.subarray(end).toString('latin1');
  const data = plainBytes(bytes).subarray(0, Math.max(end, 0));
  if (footer !== `\nsha256:${sha256(data)}\n`)
    throw new FormatError(
      `${path} is damaged: its content does not match its checksum${footer.startsWith('\nsha256:') ? '' : ', which is missing (cut short?)'}.`,
    );
  return data;
}

/** SHA-256 of the parts in a row, as 64 hex digits. */
export function sha256(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Removes what killed processes left half-written in `folder` (not below it); returns how many files. */
export async function removeAbandonedTemporaries(folder: string): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info === undefined || Date.now() - info.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}

/** Makes a rename in `folder` survive a power cut. Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network and overlay file systems can't sync a folder; the file itself is synced all the same.
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'no permission to write there',
  EPERM: 'no permission to write there',
  EISDIR: 'a folder of that name is in the way',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file is where a folder should be',
  ENAMETOOLONG: 'the name is too long',
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}

/** A Buffer's `slice` shares memory where a Uint8Array's copies; callers get the latter. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
