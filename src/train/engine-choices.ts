import type { Choose } from '../lowering/lowering.ts';
import type { Target } from '../lowering/target.ts';
import { blockSize } from '../runtime/block-size.ts';
import type { Engine } from '../runtime/engine.ts';
import { processor } from '../runtime/processor.ts';
import { Tuning } from '../runtime/tuning.ts';
import { InputError } from '../core/errors.ts';
import {
  checkEngine,
  engineDifferences,
  readEngineRecord,
  writeEngineRecord,
  type EngineRecord,
} from './engine-record.ts';

export interface EngineChoicesOptions {
  /** `engine.json` of the run. */
  readonly file: string;
  /** Another run's `engine.json`, whose choices are taken over; for a run that has none of its own yet. */
  readonly reuse?: string;
  /** Version of Gleaner. */
  readonly gleaner: string;
  /** Goes on although the engine differs from the recorded one. */
  readonly accept?: boolean;
  /** Default: blocked where the engine has the layout. */
  readonly target?: 'plain' | 'blocked';
  /** Measured choices; default those of the cache. */
  readonly tuning?: Tuning;
}

/**
 * All that decides in which order the engine adds numbers, settled before the first step and written to
 * `engine.json`. What was measured by then is taken over whole; a shape that is met later and was not
 * measured takes its default, in this process and in any that resumes the run.
 */
export class EngineChoices {
  readonly target: Target;
  #record: EngineRecord;
  readonly #file: string;

  private constructor(file: string, record: EngineRecord) {
    this.#file = file;
    this.#record = record;
    const choose: Choose = (candidates, key) => {
      const wanted = record.lowerings[key];
      if (wanted === undefined) return 0;
      const index = candidates.findIndex(({ name }) => name === wanted);
      if (index >= 0) return index;
      throw new InputError(
        `${file} wants the lowering "${wanted}" for ${key}, which does not exist here; there are ${candidates.map(({ name }) => name).join(', ')}.`,
      );
    };
    this.target =
      record.target === 'blocked' ? { kind: 'blocked', block: record.block, choose } : { kind: 'plain', choose };
  }

  /**
   * Reads the run's record, or makes and writes it.
   * @throws InputError listing what differs from the record, unless accepted; FormatError for a damaged record.
   */
  static async open(engine: Engine, options: EngineChoicesOptions): Promise<EngineChoices> {
    const { file, reuse, accept = false } = options;
    const recorded = await readEngineRecord(file);
    const given = recorded === undefined && reuse !== undefined ? await readEngineRecord(reuse) : undefined;
    if (reuse !== undefined && recorded === undefined && given === undefined)
      throw new InputError(`There is no engine record ${reuse}.`);
    const old = recorded ?? given;
    const { model, features } = processor();
    const block = await blockSize(engine);
    const wanted = options.target ?? old?.target ?? (block > 1 ? 'blocked' : 'plain');
    if (wanted === 'blocked' && block === 1)
      throw new InputError(`The engine on ${engine.device} has no blocked layout; use the plain lowering.`);
    const current: EngineRecord = {
      engine: `onnxruntime ${engine.version}`,
      gleaner: options.gleaner,
      device: engine.device,
      processor: [model, ...features].join(' '),
      threads: engine.threads,
      target: wanted,
      block,
      // Sizes of passes follow from a run's own settings; only its own record fixes them.
      microBatch: recorded?.microBatch ?? {},
      lowerings: old?.lowerings ?? {},
    };
    if (old !== undefined) checkEngine(old, current, accept);
    // What was measured on another engine is no guide to this one.
    const lowerings =
      old !== undefined && engineDifferences(old, current).length === 0
        ? old.lowerings
        : (options.tuning ?? (await Tuning.open(engine))).snapshot();
    const record = { ...current, lowerings };
    await writeEngineRecord(file, record);
    return new EngineChoices(file, record);
  }

  get record(): EngineRecord {
    return this.#record;
  }

  /** Images a pass in a stage: as recorded, else as `decide` says, which is then recorded. */
  async microBatch(stage: string, decide: () => number): Promise<number> {
    const known = this.#record.microBatch[stage];
    if (known !== undefined) return known;
    const decided = decide();
    this.#record = { ...this.#record, microBatch: { ...this.#record.microBatch, [stage]: decided } };
    await writeEngineRecord(this.#file, this.#record);
    return decided;
  }
}
