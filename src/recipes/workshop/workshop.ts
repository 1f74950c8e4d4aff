import type { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import type { ImagePool } from '../../batches/image-pool.ts';
import type { Track } from '../../core/profile.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { Engine } from '../../runtime/engine.ts';
import type { EngineChoices } from '../../train/engine-choices.ts';
import type { NewEvent } from '../../train/events.ts';
import type { EpochsSoFar } from '../../train/loop.ts';

/** A training that is under way, and how far it is. */
export interface TrainingSoFar extends EpochsSoFar {
  readonly stage: string;
  /** Epochs that it began with, and images of each. */
  readonly planned: number;
  readonly images: number;
}

/** What every stage of a run shares. */
export interface Workshop {
  readonly engine: Engine;
  readonly choices: Pick<EngineChoices, 'target' | 'microBatch'>;
  readonly pool: ImagePool;
  readonly crops: EvaluationCrops;
  readonly record: (event: NewEvent) => void;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Asked by a training after each epoch: of how many epochs it is to be, so that it ends in time. */
  readonly pace?: ((training: TrainingSoFar) => Promise<number>) | undefined;
  /** Of the job itself, step by step, where time is measured. */
  readonly track?: Track | undefined;
  /** Of what is written meanwhile. */
  readonly writing?: Track | undefined;
}
