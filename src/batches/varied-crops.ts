import { RunError } from '../core/errors.ts';
import type { Policy } from '../augment/policy.ts';
import { tensor } from '../core/tensor.ts';
import type { CropBatch, CropBatchOptions, EvaluationCrops, ImageSource } from './evaluation-crops.ts';
import type { ImagePool } from './image-pool.ts';

/** An image and what is done to its evaluation crop. */
export interface VariedSource extends ImageSource {
  /** Begins with `evaluationcrop`. */
  readonly policy: Policy;
  /** Part of the random key: the same image may stand several times. */
  readonly view: number;
}

/** Crops of evaluation, each then varied by a policy of its own: how a network takes what augmentation makes. */
export class VariedCrops {
  readonly #pool: ImagePool;
  readonly #evaluation: EvaluationCrops;
  readonly #key: { readonly seed: number; readonly stage: string };

  constructor(pool: ImagePool, evaluation: EvaluationCrops, key: { readonly seed: number; readonly stage: string }) {
    this.#pool = pool;
    this.#evaluation = evaluation;
    this.#key = key;
  }

  /** As `EvaluationCrops.batches`. Sources of one policy should stand together. */
  async *batches(sources: readonly VariedSource[], options: CropBatchOptions): AsyncGenerator<CropBatch> {
    for await (const { crops, positions } of this.#evaluation.batches(sources, options)) {
      const bytes = crops.data.length / positions.length;
      const pixels = crops.data as Uint8Array;
      const varied = new Uint8Array(pixels.length);
      for (let from = 0, to = 0; from < positions.length; from = to) {
        const { policy } = sources[positions[from]!]!;
        while (to < positions.length && sources[positions[to]!]!.policy === policy) to++;
        const asked = positions.slice(from, to).map((position, i) => {
          const { id, view } = sources[position]!;
          const at = (from + i) * bytes;
          const key = { ...this.#key, epoch: view, id, occurrence: 0 };
          return { source: pixels.slice(at, at + bytes), key, label: undefined };
        });
        for (const [i, crop] of (await this.#pool.trainingCrops(asked, policy, { signal: options.signal })).entries()) {
          if ('error' in crop) throw new RunError(crop.error);
          varied.set(crop.pixels, (from + i) * bytes);
        }
      }
      yield { crops: tensor('uint8', crops.shape, varied), positions };
    }
  }
}
