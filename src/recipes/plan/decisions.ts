import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../core/atomic-file.ts';

/** The file in a run's folder. */
export const DECISIONS = 'decisions.json';

/**
 * What a plan decided by what it measured, by name. A run that is taken up again decides nothing of it anew, so that it ends
 * as one that was never interrupted; the time it took before counts.
 */
export class Decisions {
  readonly #file: string;
  readonly #known: Record<string, unknown>;
  /** Seconds that were spent before this process. */
  readonly #before: number;
  readonly #start: number;

  private constructor(file: string, start: number, { spent, decisions }: Recorded) {
    this.#file = file;
    this.#start = start;
    this.#known = decisions;
    this.#before = spent;
  }

  /** @param start `performance.now()` at the start of this process' work */
  static async open(file: string, start: number): Promise<Decisions> {
    return new Decisions(file, start, await recordedIn(file));
  }

  /** Seconds worked on the run so far, in all processes. */
  get spent(): number {
    return this.#before + (performance.now() - this.#start) / 1000;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#known, name);
  }

  /** What was decided under names that begin so, in that order; of each the rest of the name. */
  withPrefix<T>(prefix: string): [string, T][] {
    return Object.entries(this.#known).flatMap(([name, value]): [string, T][] =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value as T]] : [],
    );
  }

  /** What was decided before, else what `make` says, which is written down. Plain JSON. */
  async decide<T>(name: string, make: () => T | Promise<T>): Promise<T> {
    if (!this.has(name)) {
      this.#known[name] = await make();
      const recorded: Recorded = { spent: this.spent, decisions: this.#known };
      await writeFileAtomic(this.#file, `${JSON.stringify(recorded, undefined, 1)}\n`);
    }
    return this.#known[name] as T;
  }
}

/** What a plan's features are of: the backbone that it took, and whether gradients are joined. */
export interface PlannedFeatures {
  readonly backbone: string;
  readonly gradients: boolean;
}

/** Of a plan's run; undefined where it trained from scratch, or has not chosen yet. */
export async function plannedFeatures(run: string): Promise<PlannedFeatures | undefined> {
  const { decisions } = await recordedIn(join(run, DECISIONS));
  return decisions['features'] as PlannedFeatures | undefined;
}

async function recordedIn(file: string): Promise<Recorded> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? { spent: 0, decisions: {} } : (JSON.parse(text) as Recorded);
}

interface Recorded {
  readonly spent: number;
  readonly decisions: Record<string, unknown>;
}
