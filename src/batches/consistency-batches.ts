import { beta } from '../augment/distributions.ts';
import { randomStream, shuffled } from '../core/random.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { TrainingBatch, TrainingBatches } from './training-batches.ts';

export interface ConsistencyBatchesOptions {
  /** N labelled images a batch. */
  readonly labelled: TrainingBatches;
  /** Views of unlabelled images, `ratio` N a batch, the same images in the same order in each. */
  readonly views: readonly TrainingBatches[];
  readonly stepsPerEpoch: number;
  /** Mixes the labelled images and all views, which are trained on beside the views as they are (MixMatch). */
  readonly mixing?: {
    /** Of Beta(alpha, alpha). */
    readonly alpha: number;
    readonly seed: number;
    readonly stage: string;
    /** The targets under which a batch has, of each mixed row, its partner's number among these rows and its own share. */
    readonly targets: { readonly partner: string; readonly share: string };
  };
  /** The target under which a batch has the numbers of its unlabelled images, and the number of each id. */
  readonly numbers?: { readonly target: string; readonly of: ReadonlyMap<string, number> };
}

export interface ConsistencyBatch extends Pick<TrainingBatch, 'images' | 'labels' | 'ids'> {
  readonly targets?: Readonly<Record<string, Tensor>>;
}

/**
 * Batches of labelled and unlabelled images together. A sample is a labelled image and its share of the unlabelled ones:
 * rows lie as labelled image, first views, second views, and so on; where images are mixed, as mixed labelled image, all views, and
 * all views mixed. Both parts are passed through again and again, each
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
    for (let step = first; ; step++) {
      const [own, ...seen] = (await Promise.all(sources.map(async (source) => (await source.next()).value))) as [
        TrainingBatch,
        ...TrainingBatch[],
      ];
      const plain = interleaved(
        [own, ...seen].map(({ images }) => images),
        own.ids.length,
      );
      const mixed = this.#mixed(plain, own.ids.length, step);
      const targets = { ...this.#numbers(own, seen[0]!), ...mixed?.targets };
      yield {
        images: mixed?.images ?? plain,
        labels: own.labels,
        ids: [...own.ids, ...seen[0]!.ids],
        ...(Object.keys(targets).length > 0 && { targets }),
      };
    }
  }

  #numbers(own: TrainingBatch, { ids }: TrainingBatch): Record<string, Tensor> {
    const { numbers } = this.#options;
    if (numbers === undefined) return {};
    const samples = own.ids.length;
    const values = Float32Array.from(ids, (id) => numbers.of.get(id)!);
    return { [numbers.target]: tensor('float32', [samples, ids.length / samples], values) };
  }

  /** Each row with its share of at least a half, and another row of the batch. */
  #mixed(
    plain: Tensor,
    samples: number,
    step: number,
  ): Required<Pick<ConsistencyBatch, 'images' | 'targets'>> | undefined {
    const { mixing } = this.#options;
    if (mixing === undefined) return undefined;
    const { alpha, seed, stage, targets } = mixing;
    const stream = randomStream(seed, stage, step, 'mixmatch');
    const [rows, ...shape] = plain.shape as [number, ...number[]];
    const pixels = plain.data as Uint8Array;
    const size = pixels.length / rows;
    const partners = shuffled(
      Array.from({ length: rows }, (_, i) => i),
      stream,
    );
    const shares = Float32Array.from(partners, () => {
      const share = beta(alpha, alpha, stream);
      return Math.max(share, 1 - share);
    });
    const mixed = new Uint8Array(pixels.length);
    for (const [row, partner] of partners.entries())
      for (let i = 0; i < size; i++) {
        const share = shares[row]!;
        mixed[row * size + i] = Math.round(share * pixels[row * size + i]! + (1 - share) * pixels[partner * size + i]!);
      }
    const each = rows / samples;
    const part = (data: Uint8Array, from: number, to: number): Tensor => {
      const taken = Array.from({ length: samples }, (_, i) =>
        data.subarray((i * each + from) * size, (i * each + to) * size),
      );
      return tensor('uint8', [samples * (to - from), ...shape], Uint8Array.from(Buffer.concat(taken)));
    };
    const images = interleaved([part(mixed, 0, 1), part(pixels, 1, each), part(mixed, 1, each)], samples);
    return {
      images,
      targets: {
        [targets.partner]: tensor('float32', [samples, each], Float32Array.from(partners)),
        [targets.share]: tensor('float32', [samples, each], shares),
      },
    };
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

/** The rows of each sample together, of parts [N rows, h, w, 3] with rows of their own number. */
function interleaved(parts: readonly Tensor[], samples: number): Tensor {
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const pixels = new Uint8Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (let sample = 0; sample < samples; sample++)
    for (const { data } of parts) {
      const size = data.length / samples;
      pixels.set((data as Uint8Array).subarray(sample * size, (sample + 1) * size), at);
      at += size;
    }
  return tensor('uint8', [rows, ...parts[0]!.shape.slice(1)], pixels);
}
