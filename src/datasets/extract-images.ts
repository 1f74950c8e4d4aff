import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../core/atomic-file.ts';
import { cachePart } from '../core/cache-folder.ts';
import { checkDisk } from '../core/disk.ts';
import { AbortedError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { SNIFF_BYTES, sniffFormat } from '../images/format.ts';
import { ImageError } from '../images/image-error.ts';
import { mapConcurrent } from './concurrent.ts';
import type { ParquetFile } from './parquet-file.ts';

/** Bytes of extracted images on disk, of all files together: what is unused longest goes first, but for the last day's. */
const LIMIT_BYTES = 64 * 2 ** 30;
const DAY_MS = 86_400_000;
/** Images of a folder, at most. */
const IN_A_FOLDER = 1000;
const WRITES_AT_A_TIME = 8;
/** Raised whenever what lies in a folder changes. */
const RULE = 1;

/** Written last: a folder without it is not whole. */
interface Index {
  /** Extension of each row's file; null where the row has no bytes. */
  readonly extensions: readonly (string | null)[];
  readonly bytes: number;
}

export interface ExtractOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Writes the images inside a Parquet file into the cache, once: they are then files as all others. A file that was changed
 * is extracted anew.
 * @param column of bytes
 * @returns for each row the path of its image, undefined where it has no bytes
 * @throws InputError where they do not fit on the disk; errors of reading as `ParquetFile`; AbortedError by `signal`
 */
export async function extractImages(
  parquet: ParquetFile,
  path: string,
  column: readonly string[],
  options: ExtractOptions = {},
): Promise<(string | undefined)[]> {
  const { size, mtimeNs } = await stat(path, { bigint: true });
  const key = sha256(JSON.stringify([RULE, await realpath(path), String(size), String(mtimeNs), column])).slice(0, 32);
  const place = cachePart('parquet');
  const folder = join(place, key);
  let index = await readIndex(folder, parquet.rows);
  if (index === undefined) {
    const needed = parquet.bytesOf(...column);
    await makeRoom(place, needed);
    await checkDisk(place, needed);
    const temporary = join(place, `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      index = await writeImages(parquet, column, temporary, options);
      await rm(folder, { recursive: true, force: true });
      // Another process may have been faster, with the same files.
      await rename(temporary, folder).catch(async (error: unknown) => {
        if ((await readIndex(folder, parquet.rows)) === undefined) throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  await utimes(join(folder, 'index.json'), new Date(), new Date());
  return index.extensions.map((extension, row) =>
    extension === null ? undefined : join(folder, nameOf(row, extension)),
  );
}

async function writeImages(
  parquet: ParquetFile,
  column: readonly string[],
  folder: string,
  { signal, onProgress }: ExtractOptions,
): Promise<Index> {
  const extensions = Array.from<string | null>({ length: parquet.rows }).fill(null);
  let bytes = 0;
  for await (const { start, values } of parquet.read(...column)) {
    if (signal?.aborted) throw new AbortedError('Stopped while images were extracted.');
    const rows = Array.from({ length: values.length }, (_, i) => i).filter((i) => values[i] instanceof Uint8Array);
    for (const parent of new Set(rows.map((i) => parentOf(start + i))))
      await mkdir(join(folder, parent), { recursive: true });
    await mapConcurrent(rows, WRITES_AT_A_TIME, async (i) => {
      const image = values[i] as Uint8Array;
      const extension = extensionOf(image);
      await writeFile(join(folder, nameOf(start + i, extension)), image);
      extensions[start + i] = extension;
      bytes += image.length;
    });
    const done = start + values.length;
    onProgress?.({ type: 'step', stage: 'extract images', done, total: parquet.rows, unit: 'images' });
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'index.json'), JSON.stringify({ extensions, bytes } satisfies Index));
  return { extensions, bytes };
}

async function readIndex(folder: string, rows?: number): Promise<Index | undefined> {
  try {
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Index;
    return rows === undefined || index.extensions.length === rows ? index : undefined;
  } catch {
    return undefined;
  }
}

/** Removes what was extracted from other files until there is room for `needed` bytes within the limit. */
async function makeRoom(place: string, needed: number): Promise<void> {
  const old: { readonly folder: string; readonly bytes: number; readonly usedMs: number }[] = [];
  let total = needed;
  for (const name of await readdir(place)) {
    const folder = join(place, name);
    const whole = await stat(join(folder, 'index.json')).catch(() => undefined);
    const usedMs = (whole ?? (await stat(folder))).mtimeMs;
    const bytes = (await readIndex(folder))?.bytes ?? 0;
    total += bytes;
    if (Date.now() - usedMs > DAY_MS) old.push({ folder, bytes, usedMs });
  }
  for (const { folder, bytes } of old.toSorted((a, b) => a.usedMs - b.usedMs)) {
    // What has no index was left by a process that was killed.
    if (total <= LIMIT_BYTES && bytes > 0) continue;
    await rm(folder, { recursive: true, force: true });
    total -= bytes;
  }
}

function parentOf(row: number): string {
  return String(Math.floor(row / IN_A_FOLDER));
}

function nameOf(row: number, extension: string): string {
  return join(parentOf(row), `${row}.${extension}`);
}

/** What the content says; of what is no image, none that is one of images. */
function extensionOf(image: Uint8Array): string {
  try {
    return sniffFormat(image.subarray(0, SNIFF_BYTES));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return 'bin';
  }
}
