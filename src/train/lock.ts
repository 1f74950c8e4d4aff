import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError, RunError } from '../core/errors.ts';

/** The holder touches the file this often. */
const HEARTBEAT_MS = 5_000;
/** A holder on another machine is taken for dead after this long without a heartbeat. */
const STALE_MS = 60_000;
/** How long a lock may lie there empty: between its creation and its first line. */
const BIRTH_MS = 2_000;
/** How long a process may take to remove a stale lock. */
const ABANDONED_TURN_MS = 10_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in the system's own ticks; tells a process from another that got its number later. */
  readonly started: string;
  readonly nonce: string;
}

/** Who holds a run's folder, if anyone does. */
export interface LockState {
  readonly pid: number;
  readonly host: string;
}

/**
 * One process at a time on a folder. A lock whose process is gone (on this machine), or has shown no sign
 * of life for a minute (on another, through a shared file system), is taken over.
 */
export class Lock {
  readonly #path: string;
  readonly #text: string;
  readonly #heartbeat: NodeJS.Timeout;
  #lost = false;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
    this.#heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** @throws InputError naming the process that holds it. */
  static async take(folder: string): Promise<Lock> {
    const path = join(folder, 'lock');
    const holder: Holder = {
      pid: process.pid,
      host: hostname(),
      started: startOf(process.pid) ?? '',
      nonce: randomBytes(8).toString('hex'),
    };
    const text = `${JSON.stringify(holder)}\n`;
    for (;;) {
      if (await createExclusively(path, text)) return new Lock(path, text);
      const found = await readLock(path);
      if (found === undefined) continue;
      if (found.holder !== undefined && (await isAlive(found.holder, path)))
        throw new InputError(
          `${folder} is in use by process ${found.holder.pid}${elsewhere(found.holder)}; wait for it or stop it first.`,
        );
      await removeStale(path, found.text);
    }
  }

  /** @throws RunError where another process has taken the folder, so that nothing is written over its work. */
  check(): void {
    if (this.#lost)
      throw new RunError(
        `The lock ${this.#path} was taken by another process (was this one asleep?). Nothing more is written.`,
      );
  }

  async release(): Promise<void> {
    clearInterval(this.#heartbeat);
    if ((await readFile(this.#path, 'utf8').catch(() => undefined)) === this.#text)
      await rm(this.#path, { force: true });
  }

  async #beat(): Promise<void> {
    try {
      if ((await readFile(this.#path, 'utf8')) !== this.#text) this.#lost = true;
      else await utimes(this.#path, new Date(), new Date());
    } catch (error) {
      // Gone: someone took it for stale. Any other error (a network file system away) may pass.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#lost = true;
    }
  }
}

/** The live holder of a folder's lock; undefined where there is none, or only a dead one's. */
export async function lockState(folder: string): Promise<LockState | undefined> {
  const path = join(folder, 'lock');
  const holder = (await readLock(path))?.holder;
  return holder !== undefined && (await isAlive(holder, path)) ? { pid: holder.pid, host: holder.host } : undefined;
}

/** False where the file exists. */
async function createExclusively(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined where the file is gone; a holder of undefined is a lock that was never finished. */
async function readLock(path: string): Promise<{ text: string; holder: Holder | undefined } | undefined> {
  for (;;) {
    try {
      const text = await readFile(path, 'utf8');
      const holder = parseHolder(text);
      if (holder !== undefined || Date.now() - (await stat(path)).mtimeMs > BIRTH_MS) return { text, holder };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    await sleep(100);
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, started, nonce } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === 'number' && typeof host === 'string' && typeof started === 'string' && typeof nonce === 'string')
      return { pid, host, started, nonce };
  } catch {
    // Cut short by a kill or a full disk.
  }
  return undefined;
}

/**
 * Removes a dead holder's lock, unless it was replaced since it was read. One process at a time does so, and
 * looks again while no other can: else one could remove the fresh lock of another that was faster.
 */
async function removeStale(path: string, text: string): Promise<void> {
  const turn = `${path}.takeover`;
  while (!(await createExclusively(turn, ''))) {
    const info = await stat(turn).catch(() => undefined);
    // Its process was killed in the milliseconds that a turn takes.
    if (info !== undefined && Date.now() - info.mtimeMs > ABANDONED_TURN_MS) await rm(turn, { force: true });
    await sleep(20);
  }
  try {
    if ((await readFile(path, 'utf8').catch(() => undefined)) === text) await rm(path, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const info = await stat(path).catch(() => undefined);
    return info !== undefined && Date.now() - info.mtimeMs < STALE_MS;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const started = startOf(holder.pid);
  return started === undefined || holder.started === '' || started === holder.started;
}

/** When a process started, from /proc; undefined where there is no such thing. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name, in parentheses, may hold spaces; the start time is field 22, the 20th behind it.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function elsewhere(holder: Holder): string {
  return holder.host === hostname() ? '' : ` on ${holder.host}`;
}
