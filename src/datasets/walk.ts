import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { AbortedError } from '../core/errors.ts';
import { compareText } from './dataset.ts';

export interface FoundFile {
  /** Relative to the root, `/` between parts. */
  readonly id: string;
  readonly file: string;
}

export interface Walk {
  /** Plain files, and links to them where links are followed; sorted by id. */
  readonly files: readonly FoundFile[];
  /** Every folder below the root, by its id. */
  readonly folders: readonly string[];
  /** Hidden and system entries that were passed over. */
  readonly hidden: readonly string[];
  /** Links that were not followed, or that lead back to a folder they are in. */
  readonly links: readonly string[];
  /** Names that are not valid UTF-8, shown with U+FFFD: they can't be opened by name. */
  readonly unnameable: readonly string[];
  /** Folders that can't be listed, with the reason. */
  readonly closed: readonly { readonly id: string; readonly reason: string }[];
}

export interface WalkOptions {
  readonly followLinks?: boolean;
  readonly signal?: AbortSignal;
}

/** What systems and tools leave in folders, beside names that begin with a dot. */
const SYSTEM_NAMES = new Set([
  '__MACOSX',
  '@eaDir',
  '$RECYCLE.BIN',
  'System Volume Information',
  'lost+found',
  'Thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '__pycache__',
]);

/**
 * Every file below `root`. Links are not followed unless asked; where they are, a folder is never entered
 * from within itself.
 * @throws the system's error where `root` itself can't be listed.
 */
export async function walk(root: string, options: WalkOptions = {}): Promise<Walk> {
  const found = {
    files: [] as FoundFile[],
    folders: [] as string[],
    hidden: [] as string[],
    links: [] as string[],
    unnameable: [] as string[],
    closed: [] as { id: string; reason: string }[],
  };
  await visit(root, '', [await realpath(root)]);
  found.files.sort((a, b) => compareText(a.id, b.id));
  for (const list of [found.folders, found.hidden, found.links, found.unnameable]) list.sort(compareText);
  return found;

  /** @param above real paths of the folders being walked, the innermost last: only needed to see loops. */
  async function visit(folder: string, prefix: string, above: readonly string[]): Promise<void> {
    if (options.signal?.aborted) throw new AbortedError('Stopped while listing the data folder.');
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const id = prefix + entry.name;
      const file = join(folder, entry.name);
      if (entry.name.startsWith('.') || SYSTEM_NAMES.has(entry.name)) found.hidden.push(id);
      else if (entry.name.includes('\uFFFD') && !(await exists(file))) found.unnameable.push(id);
      else if (entry.isSymbolicLink()) await follow(file, id, above);
      else if (entry.isDirectory()) await enter(file, id, above);
      else if (entry.isFile()) found.files.push({ id, file });
    }
  }

  async function enter(folder: string, id: string, above: readonly string[]): Promise<void> {
    found.folders.push(id);
    try {
      await visit(folder, `${id}/`, options.followLinks ? [...above, await realpath(folder)] : above);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EACCES' && code !== 'EPERM') throw error;
      found.closed.push({ id, reason: 'no permission to list this folder' });
    }
  }

  async function follow(file: string, id: string, above: readonly string[]): Promise<void> {
    const target = options.followLinks ? await stat(file).catch(() => undefined) : undefined;
    if (target?.isFile()) found.files.push({ id, file });
    else if (target?.isDirectory() && !above.includes(await realpath(file))) await enter(file, id, above);
    else found.links.push(id);
  }
}

/** Whether `file`, links resolved, lies in `realRoot`, a path without links. */
export async function isInside(realRoot: string, file: string): Promise<boolean> {
  const path = relative(realRoot, await realpath(file));
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
