import { sizeOf, tensor, type Tensor } from '../core/tensor.ts';
import { epochOrder } from './epoch-order.ts';
import { labelsOf, type TrainingBatch, type TrainingItem } from './training-batches.ts';

export interface ValueBatchesOptions {
  /** float32 [items.length, ...]: what stands for each image. */
  readonly values: Tensor;
  readonly items: readonly Pick<TrainingItem, 'id' | 'target'>[];
  readonly batchSize: number;
  readonly seed: number;
  readonly stage: string;
}

/** Batches of values computed before, in the order in which `TrainingBatches` gives the images. */
export class ValueBatches {
  readonly stepsPerEpoch: number;
  readonly #options: ValueBatchesOptions;

  /** @throws RangeError where there is not one value for each item */
  constructor(options: ValueBatchesOptions) {
    const { values, items, batchSize } = options;
    if (values.dtype !== 'float32' || values.shape[0] !== items.length)
      throw new RangeError(`Expected float32 [${items.length}, ...], got ${values.dtype} [${values.shape}].`);
    this.stepsPerEpoch = Math.ceil(items.length / batchSize);
    this.#options = options;
  }

  /**
   * @param epoch counted from 1
   * @param from steps of the epoch to leave out
   */
  async *epoch(epoch: number, from = 0): AsyncGenerator<TrainingBatch> {
    const { values, items, batchSize, seed, stage } = this.#options;
    const order = epochOrder(items.length, { seed, stage, epoch });
    const shape = values.shape.slice(1);
    const size = sizeOf(shape);
    for (let step = from; step < this.stepsPerEpoch; step++) {
      const rows = Array.from({ length: batchSize }, (_, i) => order[(step * batchSize + i) % order.length]!);
      const data = new Float32Array(batchSize * size);
      for (const [i, row] of rows.entries())
        data.set((values.data as Float32Array).subarray(row * size, (row + 1) * size), i * size);
      yield {
        images: tensor('float32', [batchSize, ...shape], data),
        labels: labelsOf(rows.map((row) => items[row]!.target)),
        ids: rows.map((row) => items[row]!.id),
      };
    }
  }
}
