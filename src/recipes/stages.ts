import { timed, type Track } from '../core/profile.ts';
import { RunFolder } from '../train/run-folder.ts';
import type { TrainControl } from './train-control.ts';

/** Runs a stage of a run in a folder of its own. */
export type RunStage = Pick<Stages, 'run'>;

/** Numbers and times the stages of a run. */
export class Stages {
  readonly #run: RunFolder;
  readonly #control: TrainControl;
  readonly #track: Track | undefined;
  #count = 0;

  constructor(run: RunFolder, control: TrainControl, track?: Track) {
    this.#track = track;
    this.#run = run;
    this.#control = control;
  }

  async run<T>(stage: string, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = await this.#run.stage(++this.#count, stage);
    const start = performance.now();
    this.#run.append({ type: 'stage', stage, state: 'start' });
    this.#control.onProgress?.({ type: 'stage', stage, state: 'start' });
    const result = await timed(this.#track, 'stage', () => work(folder), 0, stage);
    const seconds = (performance.now() - start) / 1000;
    this.#run.append({ type: 'stage', stage, state: 'end', seconds });
    this.#control.onProgress?.({ type: 'stage', stage, state: 'end', seconds });
    return result;
  }

  /** Stages of the same run whose names begin with `prefix`. */
  within(prefix: string): RunStage {
    return { run: (stage, work) => this.run(`${prefix}${stage}`, work) };
  }
}
