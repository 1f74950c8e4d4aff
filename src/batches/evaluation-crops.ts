import { AbortedError } from '../core/errors.ts';
import { timedSync } from '../core/profile.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import type { Quarantined, Sample } from '../datasets/dataset.ts';
import type { CropCache } from './crop-cache.ts';
import type { ImagePool } from './image-pool.ts';

/** What a crop is made from; a `Sample` is one. */
export type ImageSource = Pick<Sample, 'id' | 'file' | 'contentKey' | 'width' | 'height'>;

export interface CropBatch {
  /** uint8 [n, h, w, 3], n at most what was asked for. */
  readonly crops: Tensor;
  /** Position of each crop's image in the list that was given. */
  readonly positions: readonly number[];
}

export interface CropBatchOptions {
  readonly batchSize: number;
  /** Told once for each image that can't be decoded; it is in no batch. */
  readonly onQuarantined?: (entry: Quarantined) => void;
  readonly signal?: AbortSignal;
}

/** Batches that are made ahead of the one in use. */
const AHEAD = 2;
/** Reading a crop beats decoding an image of this many times its pixels. */
const WORTH_DISK = 4;

/**
 * Images as evaluation, feature cache, calibration and prediction see them: decoded and put through the
 * crop graph in the pool's threads, ahead of the engine, and cached.
 */
export class EvaluationCrops {
  readonly #pool: ImagePool;
  readonly #cache: CropCache;

  constructor(pool: ImagePool, cache: CropCache) {
    this.#pool = pool;
    this.#cache = cache;
  }

  /**
   * Batches in the order of `sources`, without those that can't be decoded.
   * @throws AbortedError once the signal fires, RunError where a thread died
   */
  async *batches(sources: readonly ImageSource[], options: CropBatchOptions): AsyncGenerator<CropBatch> {
    const { batchSize, onQuarantined, signal } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new RangeError(`The batch size must be an integer of at least 1, got ${batchSize}.`);
    const waiting: Promise<CropBatch | undefined>[] = [];
    const ask = (from: number): void => {
      const batch = this.#batch(sources, from, Math.min(from + batchSize, sources.length), onQuarantined, signal);
      // Without a listener, a rejection that waits for its turn would end the process.
      batch.catch(() => {});
      waiting.push(batch);
    };
    let next = 0;
    while (next < sources.length || waiting.length > 0) {
      for (; next < sources.length && waiting.length <= AHEAD; next += batchSize) ask(next);
      const batch = await waiting.shift();
      if (signal?.aborted) throw new AbortedError('Stopped while cropping images.');
      if (batch !== undefined) yield batch;
    }
    await this.#cache.trim();
  }

  /** The crop [h, w, 3] of each source, or why there is none, in their order. */
  async crops(sources: readonly ImageSource[], signal?: AbortSignal): Promise<(Uint8Array | { error: string })[]> {
    const results: (Uint8Array | { error: string } | undefined)[] = await Promise.all(
      sources.map(({ contentKey }) => this.#cache.get(contentKey)),
    );
    const missing = [...results.keys()].filter((i) => results[i] === undefined);
    this.#pool.track?.count('cropped before', sources.length - missing.length);
    if (missing.length > 0) {
      const made = await this.#pool.evaluationCrops(
        missing.map((i) => sources[i]!.file),
        signal,
      );
      await Promise.all(
        missing.map(async (i, at) => {
          const crop = made[at]!;
          results[i] = 'error' in crop ? crop : crop.pixels;
          const { contentKey, width, height } = sources[i]!;
          if ('error' in crop) return;
          const worthDisk = width * height * 3 >= WORTH_DISK * this.#cache.cropBytes;
          await this.#cache.put(contentKey, crop.pixels, worthDisk);
        }),
      );
    }
    return results as (Uint8Array | { error: string })[];
  }

  async #batch(
    sources: readonly ImageSource[],
    from: number,
    to: number,
    onQuarantined: CropBatchOptions['onQuarantined'],
    signal: AbortSignal | undefined,
  ): Promise<CropBatch | undefined> {
    const results = await this.crops(sources.slice(from, to), signal);
    const positions: number[] = [];
    for (const [i, result] of results.entries())
      if (result instanceof Uint8Array) positions.push(from + i);
      else onQuarantined?.({ file: sources[from + i]!.id, reason: result.error });
    if (positions.length === 0) return undefined;
    const { cropBytes } = this.#cache;
    const pixels = new Uint8Array(positions.length * cropBytes);
    const assemble = (): void => {
      for (const [at, position] of positions.entries())
        pixels.set(results[position - from] as Uint8Array, at * cropBytes);
    };
    timedSync(this.#pool.track, 'assemble', assemble, positions.length);
    const [h, w] = this.#pool.preprocessing.inputSize;
    return { crops: tensor('uint8', [positions.length, h, w, 3], pixels), positions };
  }
}
