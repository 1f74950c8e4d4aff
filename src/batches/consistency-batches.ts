import { tensor, type Tensor } from '../core/tensor.ts';
import type { TrainingBatch, TrainingBatches } from './training-batches.ts';

export interface ConsistencyBatchesOptions {
  /** N labelled images a batch. */
  readonly labelled: TrainingBatches;
  /** Views of unlabelled images, `ratio` N a batch, the same images in the same order in each. */
  readonly views: readonly TrainingBatches[];
  readonly stepsPerEpoch: number;
  /** The target under which a batch has the numbers of its unlabelled images, and the number of each id. */
  readonly numbers?: { readonly target: string; readonly of: ReadonlyMap<string, number> };
}

export interface ConsistencyBatch extends Pick<TrainingBatch, 'images' | 'labels' | 'ids'> {
  readonly targets?: Readonly<Record<string, Tensor>>;
}

/**
 * Batches of labelled and unlabelled images together. A sample is a labelled image and its share of the unlabelled ones:
 * rows lie as labelled image, first views, second views, and so on. Both parts are passed through again and again, each
 * with its own epochs, and a step of training takes the next of each; its batch is known from its number alone.
 */
export class ConsistencyBatches {
  readonly stepsPerEpoch: number;
  readonly #options: ConsistencyBatchesOptions;
  /** What goes on where the last epoch ended. */
  #open: { readonly batches: AsyncGenerator<ConsistencyBatch>; next: number; readonly signal: unknown } | undefined;

  constructor(options: ConsistencyBatchesOptions) {
    this.stepsPerEpoch = options.stepsPerEpoch;
    this.#options = options;
  }

  /**
   * @param epoch counted from 1
   * @param from steps of the epoch to leave out
   * @throws as `TrainingBatches.epoch`
   */
  async *epoch(epoch: number, from = 0, signal?: AbortSignal): AsyncGenerator<ConsistencyBatch> {
    const first = (epoch - 1) * this.stepsPerEpoch + from;
    if (this.#open?.next !== first || this.#open.signal !== signal) {
      await this.#open?.batches.return(undefined);
      this.#open = { batches: this.#from(first, signal), next: first, signal };
    }
    const open = this.#open;
    for (let step = from; step < this.stepsPerEpoch; step++) {
      const { value } = await open.batches.next();
      open.next++;
      yield value as ConsistencyBatch;
    }
  }

  async *#from(first: number, signal: AbortSignal | undefined): AsyncGenerator<ConsistencyBatch> {
    const { labelled, views } = this.#options;
    const sources = [labelled, ...views].map((source) => endless(source, first, signal));
    for (;;) {
      const [own, ...seen] = (await Promise.all(sources.map(async (source) => (await source.next()).value))) as [
        TrainingBatch,
        ...TrainingBatch[],
      ];
      yield {
        images: interleaved(own, seen),
        labels: own.labels,
        ids: [...own.ids, ...seen[0]!.ids],
        ...this.#targets(own, seen[0]!),
      };
    }
  }

  #targets(own: TrainingBatch, { ids }: TrainingBatch): Pick<ConsistencyBatch, 'targets'> {
    const { numbers } = this.#options;
    if (numbers === undefined) return {};
    const samples = own.ids.length;
    const values = Float32Array.from(ids, (id) => numbers.of.get(id)!);
    return { targets: { [numbers.target]: tensor('float32', [samples, ids.length / samples], values) } };
  }
}

/** The batches of all epochs, one after the other, from a step on. */
async function* endless(
  source: TrainingBatches,
  first: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainingBatch> {
  const { stepsPerEpoch } = source;
  let from = first % stepsPerEpoch;
  for (let epoch = Math.floor(first / stepsPerEpoch) + 1; ; epoch++) {
    let left = stepsPerEpoch - from;
    for await (const batch of source.epoch(epoch, from, signal)) {
      if (--left === 0) source.prepare(epoch + 1, 0, signal);
      yield batch;
    }
    from = 0;
  }
}

/** [N (1 + V ratio), h, w, 3] of [N, h, w, 3] and V views of [N ratio, h, w, 3]. */
function interleaved(own: TrainingBatch, views: readonly TrainingBatch[]): Tensor {
  const [samples, ...shape] = own.images.shape as [number, ...number[]];
  const row = own.images.data.length / samples;
  const parts = [own, ...views].map(({ images }) => ({
    data: images.data as Uint8Array,
    size: (images.shape[0]! / samples) * row,
  }));
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const pixels = new Uint8Array(samples * size);
  let at = 0;
  for (let sample = 0; sample < samples; sample++)
    for (const { data, size: taken } of parts) {
      pixels.set(data.subarray(sample * taken, (sample + 1) * taken), at);
      at += taken;
    }
  return tensor('uint8', [(samples * size) / row, ...shape], pixels);
}
