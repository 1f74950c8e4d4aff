import { tensor } from '../core/tensor.ts';
import { parsePolicy } from '../augment/policy.ts';
import type { EvaluationCrops } from './evaluation-crops.ts';
import type { ImagePool } from './image-pool.ts';
import { TrainingBatches, type TrainingBatch, type TrainingBatchesOptions } from './training-batches.ts';

/** Of each image. Repeated so often, images fill an epoch by that share of them: so many such parts are one epoch here. */
const VIEWS = 2;

/**
 * Batches of images without labels, each in two drawings of one policy that stand together. An epoch draws as many images as
 * there are; all labels are 0.
 */
export class PairedViews {
  readonly stepsPerEpoch: number;
  readonly #batches: TrainingBatches;

  /** @param options `batchSize` images a step, of a policy (as text) that neither mixes nor repeats */
  constructor(
    pool: ImagePool,
    evaluation: EvaluationCrops,
    options: Omit<TrainingBatchesOptions, 'policy' | 'views' | 'classes'> & { readonly policy: string },
  ) {
    this.#batches = new TrainingBatches(pool, evaluation, {
      ...options,
      classes: [],
      epochs: VIEWS * options.epochs,
      batchSize: VIEWS * options.batchSize,
      policy: parsePolicy(`${options.policy}|repeat(${VIEWS})`),
    });
    this.stepsPerEpoch = VIEWS * this.#batches.stepsPerEpoch;
  }

  /** As `TrainingBatches.epoch`: images are uint8 [2 N, h, w, 3]. */
  async *epoch(epoch: number, from = 0, signal?: AbortSignal): AsyncGenerator<TrainingBatch> {
    const { stepsPerEpoch } = this.#batches;
    for (let part = 0; part < VIEWS; part++) {
      const first = from - part * stepsPerEpoch;
      if (first >= stepsPerEpoch) continue;
      for await (const batch of this.#batches.epoch(this.#part(epoch, part), Math.max(0, first), signal))
        yield ofPairs(batch);
    }
  }

  prepare(epoch: number, from = 0, signal?: AbortSignal): void {
    const part = from < this.#batches.stepsPerEpoch ? 0 : 1;
    this.#batches.prepare(this.#part(epoch, part), from - part * this.#batches.stepsPerEpoch, signal);
  }

  #part(epoch: number, part: number): number {
    return VIEWS * (epoch - 1) + part + 1;
  }
}

function ofPairs({ images, ids }: TrainingBatch): TrainingBatch {
  const count = ids.length / VIEWS;
  return {
    images,
    labels: tensor('int64', [count], new BigInt64Array(count)),
    ids: ids.filter((_, i) => i % VIEWS === 0),
  };
}
