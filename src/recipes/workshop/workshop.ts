import type { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import type { ImagePool } from '../../batches/image-pool.ts';
import type { Track } from '../../core/profile.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { Engine } from '../../runtime/engine.ts';
import type { EngineChoices } from '../../train/engine-choices.ts';
import type { NewEvent } from '../../train/events.ts';

/** What every stage of a run shares. */
export interface Workshop {
  readonly engine: Engine;
  readonly choices: Pick<EngineChoices, 'target' | 'microBatch'>;
  readonly pool: ImagePool;
  readonly crops: EvaluationCrops;
  readonly record: (event: NewEvent) => void;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of the job itself, step by step, where time is measured. */
  readonly track?: Track | undefined;
  /** Of what is written meanwhile. */
  readonly writing?: Track | undefined;
}
