// A matrix of cells (arm x seed) that is worked off one by one: a JSON line a finished cell, which is never done again.
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/** What a cell is told by: same key, same outcome. The order of options doesn't count. */
export function keyOf({ study, arm, seed, options, version }) {
  return JSON.stringify([study, arm, seed, version, Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

/** The file of finished cells. A line that a kill cut off is dropped; what stands before it counts. */
export class Results {
  #path;
  #cells = new Map();

  /** @throws Error for a line that is no cell, so that no other file is written to */
  constructor(path) {
    this.#path = path;
    if (!existsSync(path)) return;
    const bytes = readFileSync(path);
    const end = bytes.lastIndexOf('\n') + 1;
    if (end < bytes.length) truncateSync(path, end);
    for (const [i, line] of bytes.subarray(0, end).toString('utf8').split('\n').entries()) {
      if (line === '') continue;
      const cell = parsed(line);
      if (cell?.study === undefined || cell.options === undefined)
        throw new Error(`${path}, line ${i + 1}: expected a cell of a study, got "${line.slice(0, 60)}".`);
      // The first counts, should two processes have done the same.
      if (!this.#cells.has(keyOf(cell))) this.#cells.set(keyOf(cell), cell);
    }
  }

  find(cell) {
    return this.#cells.get(keyOf(cell));
  }

  append(cell) {
    appendFileSync(this.#path, `${JSON.stringify(cell)}\n`, { flush: true });
    this.#cells.set(keyOf(cell), cell);
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * Works off all cells that are not finished, in their order.
 * @param {any[]} cells { study, arm, seed, options, version }
 * @param {{ results: Results, run: (cell: any) => Promise<object>, minutes?: number, signal?: AbortSignal,
 *   onCell?: (cell: any, at: number, count: number) => void, now?: () => number }} how `run` makes a cell: the fields of its
 *   result. With `minutes` no cell is begun that would not end in them, by the mean of those done. `now` is in milliseconds.
 * @returns every finished cell asked for, and how many are left
 */
export async function workOff(
  cells,
  { results, run, minutes = Infinity, signal, onCell, now = () => performance.now() },
) {
  const start = now();
  const finished = [];
  let [done, left] = [0, 0];
  for (const [i, cell] of cells.entries()) {
    const known = results.find(cell);
    if (known !== undefined) {
      finished.push(known);
      continue;
    }
    const spent = (now() - start) / 60_000;
    const next = done === 0 ? 0 : spent / done;
    if (signal?.aborted || left > 0 || spent + next > minutes) {
      left++;
      continue;
    }
    onCell?.(cell, i, cells.length);
    const begun = now();
    const result = await run(cell);
    const whole = { ...cell, ...result, seconds: Math.round((now() - begun) / 100) / 10, at: new Date().toISOString() };
    results.append(whole);
    finished.push(whole);
    done++;
  }
  return { finished, left };
}

/** A folder for the work of this process, below `root`; what processes that are gone left there is removed. */
export function workFolder(root) {
  mkdirSync(root, { recursive: true });
  for (const name of readdirSync(root)) if (!isAlive(Number(name))) rmSync(join(root, name), { recursive: true });
  const own = join(root, String(process.pid));
  mkdirSync(own, { recursive: true });
  return own;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
