import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { AbortedError, InputError, RunError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';

/** A file on a server that can be read from any byte on. */
export interface RemoteFile {
  /** For messages. */
  readonly name: string;
  /** Changes when the content does (an ETag): a part of another content is not continued. */
  readonly identity: string;
  /** Bytes in all, where the server says. */
  readonly size: number | undefined;
  /** What the server says of the content, in hex: SHA-256, or git's hash of a blob. */
  readonly checksum?: { readonly kind: 'sha256' | 'git'; readonly hex: string };
  /** The content from byte `offset` on; `offset` of the answer is where it really starts (0: no ranges here). */
  open(offset: number): Promise<{ readonly offset: number; readonly chunks: AsyncIterable<Uint8Array> }>;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Attempts after the first, each of which goes on where the last one stopped. Default 4. */
  readonly retries?: number;
  /** Wait before the first retry, doubled at each. Default 500. */
  readonly retryDelayMs?: number;
}

/** What is kept beside a downloaded file. */
interface DownloadRecord {
  readonly name: string;
  readonly identity: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Downloads into `path`, which is whole or absent; what an interrupted download left is continued, by this
 * process or a later one. Size and checksum are verified, and the SHA-256 is kept beside the file.
 * @returns the SHA-256 in hex
 * @throws RunError where the connection keeps failing or the content is not what the server announced.
 */
export async function download(file: RemoteFile, path: string, options: DownloadOptions = {}): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const release = await lock(`${path}.lock`, options.signal);
  try {
    // Another process may have fetched it in the meantime.
    return (await downloaded(path)) ?? (await downloadLocked(file, path, options));
  } finally {
    await release();
  }
}

async function downloadLocked(file: RemoteFile, path: string, options: DownloadOptions): Promise<string> {
  const { signal, retries = 4, retryDelayMs = 500 } = options;
  const part = `${path}.part`;
  await discardOtherPart(part, file.identity);
  for (let attempt = 0; ; attempt++) {
    try {
      await receive(file, part, options);
      break;
    } catch (error) {
      if (signal?.aborted) throw new AbortedError(`The download of ${file.name} was stopped; it can be continued.`);
      if (error instanceof InputError || isDiskFault(error)) throw error;
      if (attempt >= retries) throw new RunError(interrupted(file, await sizeOf(part), error), { cause: error });
      await sleep(retryDelayMs * 2 ** attempt, undefined, signal && { signal }).catch(() => {});
    }
  }
  const bytes = await sizeOf(part);
  const { sha256, git } = await hashesOf(part, bytes);
  const wanted = file.checksum;
  const found = wanted?.kind === 'git' ? git : sha256;
  const wrongSize = file.size !== undefined && bytes !== file.size;
  if (wrongSize || (wanted !== undefined && found !== wanted.hex)) {
    await discard(part);
    throw new RunError(
      `The download of ${file.name} is damaged: ${wrongSize ? `expected ${file.size} bytes, got ${bytes}` : `expected the checksum ${wanted!.hex}, got ${found}`}. It was thrown away; try again.`,
    );
  }
  const record: DownloadRecord = { name: file.name, identity: file.identity, sha256, bytes };
  await writeFileAtomic(recordPath(path), `${JSON.stringify(record)}\n`);
  await rename(part, path);
  await rm(`${part}.identity`, { force: true });
  return sha256;
}

/**
 * The SHA-256 of a file that `download` made, or undefined where there is none or it does not match its
 * record any more (it is then removed).
 */
export async function downloaded(path: string): Promise<string | undefined> {
  try {
    const record = JSON.parse(await readFile(recordPath(path), 'utf8')) as DownloadRecord;
    const { sha256 } = await hashesOf(path, await sizeOf(path));
    if (sha256 === record.sha256) return sha256;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  await rm(path, { force: true });
  await rm(recordPath(path), { force: true });
  return undefined;
}

const recordPath = (path: string): string => `${path}.download.json`;

async function receive(file: RemoteFile, part: string, { signal, onProgress }: DownloadOptions): Promise<void> {
  const have = await sizeOf(part);
  if (file.size !== undefined && have === file.size) return;
  const { offset, chunks } = await file.open(have);
  const output = await open(part, offset === have && have > 0 ? 'r+' : 'w');
  try {
    let position = offset === have ? have : 0;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      await writeAll(output, chunk, position);
      position += chunk.length;
      if (file.size !== undefined && position > file.size) break;
      onProgress?.({
        type: 'step',
        stage: `download ${file.name}`,
        done: position,
        total: file.size ?? position,
        unit: 'bytes',
      });
    }
    await output.sync();
    if (file.size !== undefined && position < file.size)
      throw new RunError(`the connection ended after ${position} of ${file.size} bytes`);
  } finally {
    await output.close();
  }
}

async function writeAll(output: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length)
    done += (await output.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
}

async function discardOtherPart(part: string, identity: string): Promise<void> {
  const known = await readFile(`${part}.identity`, 'utf8').catch(() => undefined);
  if (known === identity) return;
  await discard(part);
  await writeFileAtomic(`${part}.identity`, identity);
}

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.identity`, { force: true });
}

/** One process at a time writes a part; the others wait. The lock of a process that is gone counts for nothing. */
async function lock(path: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => '0'));
    const age = await stat(path).then(
      (info) => Date.now() - info.mtimeMs,
      () => 0,
    );
    // An empty lock is one being written, unless it stays empty.
    if (holder > 0 ? !isAlive(holder) : age > 10_000) await rm(path, { force: true });
    else await sleep(200, undefined, signal && { signal }).catch(() => {});
    if (signal?.aborted) throw new AbortedError('Stopped while another process was downloading the same file.');
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (info) => info.size,
    () => 0,
  );
}

async function hashesOf(path: string, bytes: number): Promise<{ sha256: string; git: string }> {
  const sha256 = createHash('sha256');
  const git = createHash('sha1').update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    sha256.update(chunk as Uint8Array);
    git.update(chunk as Uint8Array);
  }
  return { sha256: sha256.digest('hex'), git: git.digest('hex') };
}

function isDiskFault(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function interrupted(file: RemoteFile, have: number, error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  const came = file.size === undefined ? `${have} bytes` : `${have} of ${file.size} bytes`;
  return `The download of ${file.name} failed after ${came} (${reason}). What came is kept: the same command continues.`;
}
