import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, writeFileAtomic } from '../core/atomic-file.ts';
import { cachePart } from '../core/cache-folder.ts';
import { packageVersion } from '../core/package-version.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Cancellable, Engine } from './engine.ts';
import { measure } from './measurement.ts';
import { processor } from './processor.ts';

/** One of several graphs that compute the same. */
export interface Candidate {
  readonly name: string;
  graph(): Graph;
}

/** What was measured for one key: milliseconds by candidate; null for one that the engine can't run. */
export type Times = Readonly<Record<string, number | null>>;

/** Another wherever times are measured in another way: those of before say nothing then. */
const FORMAT = 2;

/** What measurements depend on besides their key; a file each. */
export interface TuningConditions {
  /** Of this package: a lowering may be another under its old name. */
  readonly gleaner: string;
  readonly device: string;
  readonly engine: string;
  readonly threads: number;
  readonly processor: string;
  readonly features: readonly string[];
}

/** What one file of the cache holds. */
export interface TuningFile {
  readonly format: typeof FORMAT;
  readonly conditions: TuningConditions;
  readonly times: Readonly<Record<string, Times>>;
}

export interface TuneOptions extends Cancellable {
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measured choices among lowerings, kept on disk for each (device, engine version, threads, processor).
 * A graph is lowered with `choose`, which answers from what is known and takes the first candidate where
 * nothing is; `tune` then measures what was asked in vain, and the graph is lowered again.
 * @example
 * const tuning = await Tuning.open(engine);
 * let lowered = lower(graph, { kind: 'blocked', block, choose: tuning.choose });
 * while ((await tuning.tune(engine)) > 0) lowered = lower(graph, { kind: 'blocked', block, choose: tuning.choose });
 */
export class Tuning {
  readonly conditions: TuningConditions;
  readonly path: string;
  #times: Map<string, Times>;
  #unknown = new Map<string, readonly Candidate[]>();
  #chosen = new Map<string, string>();

  private constructor(conditions: TuningConditions, path: string, times: Map<string, Times>) {
    this.conditions = conditions;
    this.path = path;
    this.#times = times;
  }

  /** @param folder default: the cache's own. */
  static async open(engine: Engine, folder: string = cachePart('tuning')): Promise<Tuning> {
    const { model, features } = processor();
    const conditions: TuningConditions = {
      gleaner: packageVersion(),
      device: engine.device,
      engine: engine.version,
      threads: engine.threads,
      processor: model,
      features,
    };
    const path = join(folder, `${engine.device}-${sha256(JSON.stringify(conditions)).slice(0, 16)}.json`);
    return new Tuning(conditions, path, await readTimes(path));
  }

  /** The fastest candidate for `key` as an index; 0 where not all of them were measured. */
  readonly choose = (candidates: readonly Candidate[], key: string): number => {
    const times = this.#times.get(key);
    let best = 0;
    if (times !== undefined && candidates.every(({ name }) => Object.hasOwn(times, name))) {
      const ms = candidates.map(({ name }) => times[name] ?? Infinity);
      best = ms.indexOf(Math.min(...ms));
    } else this.#unknown.set(key, candidates);
    this.#chosen.set(key, candidates[best]!.name);
    return best;
  };

  /** Every choice made so far, by key: with `fixedChoice`, the same graph can be made again. */
  choices(): Record<string, string> {
    return Object.fromEntries([...this.#chosen].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The fastest candidate of everything that was ever measured under these conditions, by key. */
  snapshot(): Record<string, string> {
    const entries = [...this.#times].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      entries.flatMap(([key, times]) => {
        const name = fastest(times);
        return name === undefined ? [] : [[key, name] as const];
      }),
    );
  }

  /** Measures what `choose` did not know, writes it down and returns how many keys that were. */
  async tune(engine: Engine, options: TuneOptions = {}): Promise<number> {
    const measured = new Map<string, Times>();
    const total = this.#unknown.size;
    try {
      for (const [key, candidates] of this.#unknown) {
        const ms = await measure(
          engine,
          candidates.map((candidate) => candidate.graph()),
          options.signal === undefined ? {} : { signal: options.signal },
        );
        const times = Object.fromEntries(candidates.map(({ name }, i) => [name, finite(ms[i]!)]));
        measured.set(key, times);
        this.#times.set(key, times);
        this.#unknown.delete(key);
        options.onProgress?.(measured.size, total);
      }
    } finally {
      if (measured.size > 0) await this.#save(measured);
    }
    return total;
  }

  /**
   * Adds to what is on disk by now. What another process has written since stays as it is, so that two
   * that tune at once end with the same choices.
   */
  async #save(measured: ReadonlyMap<string, Times>): Promise<void> {
    const merged = new Map([...measured, ...(await readTimes(this.path))]);
    for (const [key, times] of measured) {
      const known = merged.get(key)!;
      if (Object.keys(times).some((name) => !Object.hasOwn(known, name))) merged.set(key, times);
    }
    for (const [key, times] of merged) this.#times.set(key, times);
    const content: TuningFile = {
      format: FORMAT,
      conditions: this.conditions,
      times: Object.fromEntries([...merged].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    };
    await writeFileAtomic(this.path, `${JSON.stringify(content, undefined, 1)}\n`);
  }
}

/**
 * A chooser that repeats recorded choices, for a run that must be resumed exactly.
 * @throws RangeError for a key or a lowering that the record does not fit.
 */
export function fixedChoice(choices: Readonly<Record<string, string>>) {
  return (candidates: readonly Candidate[], key: string): number => {
    const wanted = choices[key];
    if (wanted === undefined) throw new RangeError(`The recorded choices say nothing of "${key}".`);
    const index = candidates.findIndex(({ name }) => name === wanted);
    if (index < 0)
      throw new RangeError(
        `The recorded lowering "${wanted}" of "${key}" does not exist here; there are ${candidates.map(({ name }) => name).join(', ')}.`,
      );
    return index;
  };
}

/** The candidate with the shortest time; undefined where the engine can run none. */
function fastest(times: Times): string | undefined {
  const entries = Object.entries(times).filter((entry): entry is [string, number] => entry[1] !== null);
  return entries.toSorted(([, a], [, b]) => a - b)[0]?.[0];
}

/** Everything that was measured on this machine, a file for each set of conditions. */
export async function tuningFiles(folder: string = cachePart('tuning')): Promise<TuningFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  const files = await Promise.all(names.map((name) => readTuningFile(join(folder, name))));
  return files.filter((file) => file !== undefined);
}

async function readTimes(path: string): Promise<Map<string, Times>> {
  return new Map(Object.entries((await readTuningFile(path))?.times ?? {}));
}

/** Undefined where the file is absent, damaged or of another format: it can all be measured again. */
async function readTuningFile(path: string): Promise<TuningFile | undefined> {
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as TuningFile;
    return content.format === FORMAT ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Three digits are more than a measurement has; JSON has no Infinity. */
function finite(ms: number): number | null {
  return Number.isFinite(ms) ? Number(ms.toPrecision(3)) : null;
}
