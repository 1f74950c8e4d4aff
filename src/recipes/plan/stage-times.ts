import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, writeFileAtomic } from '../../core/atomic-file.ts';
import { cachePart } from '../../core/cache-folder.ts';
import type { Engine } from '../../runtime/engine.ts';
import { processor } from '../../runtime/processor.ts';

/** What is timed: an image of training on a backbone, from scratch, with unlabelled images beside it or with labels that spread, and one that a network answers. */
export type Timed = 'finetune' | 'scratch' | 'fixmatch' | 'spread' | 'answer';

/** How long a machine took for what, in the cache: the next plan's estimates come from it. */
export class StageTimes {
  readonly #file: string;
  readonly #seconds: Record<string, number>;
  readonly #measured = new Map<string, Promise<number>>();

  private constructor(file: string, seconds: Record<string, number>) {
    this.#file = file;
    this.#seconds = seconds;
  }

  /** Of this machine: its processor, the engine, its device and threads. A damaged file counts as empty. */
  static async open(engine: Pick<Engine, 'device' | 'version' | 'threads'>): Promise<StageTimes> {
    const { device, version, threads } = engine;
    const key = JSON.stringify([processor().model, device, version, threads]);
    const file = join(cachePart('times'), `${sha256(key).slice(0, 16)}.json`);
    const known = await readFile(file, 'utf8').then(JSON.parse, () => ({}));
    return new StageTimes(file, known as Record<string, number>);
  }

  /** Seconds for one, the last time. @param network which, where it matters */
  secondsOf(what: Timed, network = ''): number | undefined {
    return this.#seconds[`${what} ${network}`];
  }

  /** Seconds for one by steps that are thrown away, which are taken once a process and never kept. */
  measured(what: Timed, network: string, measure: () => Promise<number>): Promise<number> {
    const key = `${what} ${network}`;
    const seconds = this.#measured.get(key) ?? measure();
    this.#measured.set(key, seconds);
    return seconds;
  }

  /** @param count how many of it took so long */
  async add(what: Timed, network: string, seconds: number, count: number): Promise<void> {
    if (count < 1) return;
    // Three digits are more than a measurement has.
    this.#seconds[`${what} ${network}`] = Number((seconds / count).toPrecision(3));
    await writeFileAtomic(this.#file, `${JSON.stringify(this.#seconds, undefined, 1)}\n`);
  }
}
