import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** What is kept between runs, a folder each: everything in it can be made again. */
export const CACHE_PARTS = ['backbones', 'images', 'parquet', 'features', 'tuning', 'times'] as const;
export type CachePart = (typeof CACHE_PARTS)[number];

export interface CacheFolder {
  readonly folder: string;
  /** Why it is not the folder one would expect: to be shown once. */
  readonly warning?: string;
}

export interface CacheContents extends CacheFolder {
  readonly parts: readonly { readonly name: CachePart; readonly files: number; readonly bytes: number }[];
  readonly bytes: number;
}

const resolved = new Map<string, CacheFolder>();

/**
 * `GLEANER_CACHE`, else `gleaner` in `XDG_CACHE_HOME`, else in the platform's own place for caches. Where
 * that can't be written (a read-only home), a folder of this user's under the system's temporary one.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): CacheFolder {
  const wanted = wantedFolder(env);
  let result = resolved.get(wanted);
  if (result === undefined) {
    const problem = whyNotWritable(wanted);
    result = problem === undefined ? { folder: wanted } : temporaryFolder(wanted, problem);
    resolved.set(wanted, result);
  }
  return result;
}

/** The folder of one part, made where it is missing. */
export function cachePart(part: CachePart, env?: NodeJS.ProcessEnv): string {
  const path = join(cacheFolder(env).folder, part);
  mkdirSync(path, { recursive: true });
  return path;
}

export async function cacheContents(env?: NodeJS.ProcessEnv): Promise<CacheContents> {
  const place = cacheFolder(env);
  const parts = await Promise.all(
    CACHE_PARTS.map(async (name) => {
      const files = await filesBelow(join(place.folder, name));
      return { name, files: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
    }),
  );
  return { ...place, parts, bytes: parts.reduce((sum, part) => sum + part.bytes, 0) };
}

/** Removes the parts named (default all) and nothing else; returns what is left. */
export async function cacheClear(
  parts: readonly CachePart[] = CACHE_PARTS,
  env?: NodeJS.ProcessEnv,
): Promise<CacheContents> {
  const { folder } = cacheFolder(env);
  for (const part of parts) await rm(join(folder, part), { recursive: true, force: true });
  return cacheContents(env);
}

/**
 * Removes the files of a part that were longest unused (by the later of read and write time) until at
 * most `maxBytes` are left; returns the bytes freed. A file in use elsewhere is skipped.
 */
export async function trimCache(part: CachePart, maxBytes: number, env?: NodeJS.ProcessEnv): Promise<number> {
  const files = await filesBelow(join(cacheFolder(env).folder, part));
  let total = files.reduce((sum, file) => sum + file.bytes, 0);
  const before = total;
  for (const file of files.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes) break;
    try {
      await rm(file.path);
      total -= file.bytes;
    } catch {
      // Windows refuses to remove an open file; the next trim gets it.
    }
  }
  return before - total;
}

function wantedFolder(env: NodeJS.ProcessEnv): string {
  if (env['GLEANER_CACHE']) return resolve(env['GLEANER_CACHE']);
  // The specification of base directories: a relative path is to be ignored.
  if (env['XDG_CACHE_HOME'] && isAbsolute(env['XDG_CACHE_HOME'])) return join(env['XDG_CACHE_HOME'], 'gleaner');
  if (process.platform === 'win32' && env['LOCALAPPDATA']) return join(env['LOCALAPPDATA'], 'gleaner', 'cache');
  const home = env['HOME'] || homedir();
  return process.platform === 'darwin' ? join(home, 'Library', 'Caches', 'gleaner') : join(home, '.cache', 'gleaner');
}

/** Tries it: permissions alone say nothing about a read-only mount, nor to root. */
function whyNotWritable(folder: string): string | undefined {
  const probe = join(folder, `.gleaner-probe-${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function temporaryFolder(wanted: string, problem: string): CacheFolder {
  const shared = join(tmpdir(), `gleaner-cache-${userName()}`);
  const folder = isOurs(shared) ? shared : mkdtempSync(`${shared}-`);
  return { folder, warning: `The cache folder ${wanted} can't be written (${problem}); using ${folder}.` };
}

/** Whether `folder` could be made or is this user's own: in a temporary folder anyone may have placed it. */
function isOurs(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const info = lstatSync(folder);
    return info.isDirectory() && (process.getuid === undefined || info.uid === process.getuid());
  } catch {
    return false;
  }
}

function userName(): string {
  // userInfo throws where the user id has no entry (containers with an arbitrary id).
  if (process.getuid !== undefined) return String(process.getuid());
  return userInfo().username;
}

async function filesBelow(folder: string): Promise<{ path: string; bytes: number; usedMs: number }[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const files: { path: string; bytes: number; usedMs: number }[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined) files.push({ path, bytes: info.size, usedMs: Math.max(info.atimeMs, info.mtimeMs) });
  }
  return files;
}
