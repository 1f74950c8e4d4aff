import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../../core/atomic-file.ts';

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
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    return new Decisions(
      file,
      start,
      text === undefined ? { spent: 0, decisions: {} } : (JSON.parse(text) as Recorded),
    );
  }

  /** Seconds worked on the run so far, in all processes. */
  get spent(): number {
    return this.#before + (performance.now() - this.#start) / 1000;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#known, name);
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

interface Recorded {
  readonly spent: number;
  readonly decisions: Record<string, unknown>;
}
