import type { Track, TrackRecord } from '../core/profile.ts';
import type { Policy } from '../augment/policy.ts';
import { cropGraph, type Preprocessing } from '../models/preprocessing.ts';
import { DEFAULT_MAX_PIXELS } from '../images/decode.ts';
import { writeModel } from '../onnx/write.ts';
import { availableCores } from '../runtime/cores.ts';
import { memoryReport } from '../runtime/memory.ts';
import { WorkerClient } from '../runtime/worker-client.ts';
import { workerFile } from '../runtime/worker-file.ts';
import type { Crops, ImageWorkerApi, TrainingCrop } from './image-worker.ts';
import { ThreadShare } from './thread-share.ts';

export interface ImagePoolOptions {
  /** Threads that decode; default one a core. */
  readonly threads?: number;
  /** Larger images are refused; default 100 million pixels. */
  readonly maxPixels?: number;
  /** Bytes of decoded training images kept in memory; default a quarter of what is free, at most 2 GiB. */
  readonly decodedBytes?: number;
  /** Of what is done with crops on this side; with it, the threads measure where their time goes, too. */
  readonly track?: Track | undefined;
}

/** One crop, or the views of one image one after the other; or why there is none. */
export type Crop = { readonly pixels: Uint8Array } | { readonly error: string };

/**
 * Threads that read, decode and crop images. What they are asked is answered in the order of the question
 * and does not depend on their number or speed. When one dies, pending and later calls fail.
 */
export class ImagePool implements AsyncDisposable {
  readonly preprocessing: Preprocessing;
  /** Of what is done with crops on this side of the threads, where that is measured. */
  readonly track: Track | undefined;
  /** Of the threads, those that make training crops; all of them make the crops of evaluation. */
  readonly trainingShare: ThreadShare;
  readonly #workers: readonly WorkerClient<ImageWorkerApi>[];

  private constructor(
    workers: readonly WorkerClient<ImageWorkerApi>[],
    preprocessing: Preprocessing,
    track: Track | undefined,
  ) {
    this.#workers = workers;
    this.trainingShare = new ThreadShare(workers.length);
    this.track = track;
    this.preprocessing = preprocessing;
  }

  static async start(preprocessing: Preprocessing, options: ImagePoolOptions = {}): Promise<ImagePool> {
    const threads = options.threads ?? availableCores();
    if (!Number.isInteger(threads) || threads < 1)
      throw new RangeError(`The number of decoding threads must be an integer of at least 1, got ${threads}.`);
    const decodedBytes = options.decodedBytes ?? Math.min(2 ** 31, memoryReport().availableBytes / 4);
    const file = workerFile('./image-worker.ts', import.meta.url);
    const workers = Array.from(
      { length: threads },
      (_, i) => new WorkerClient<ImageWorkerApi>(file, `image decoder ${i + 1}`),
    );
    const pool = new ImagePool(workers, preprocessing, options.track);
    const start = {
      cropModel: writeModel({ graph: cropGraph(preprocessing) }),
      size: preprocessing.inputSize,
      maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
      decodedBytes,
      decodedShared: new BigInt64Array(new SharedArrayBuffer(8)),
    };
    try {
      await Promise.all(
        workers.map((worker, i) =>
          worker.call('start', [{ ...start, ...(options.track && { profileAs: `image decoder ${i + 1}` }) }]),
        ),
      );
    } catch (error) {
      await pool.dispose();
      throw error;
    }
    return pool;
  }

  get threads(): number {
    return this.#workers.length;
  }

  /** Crops by the crop graph, in the order of `files`. @throws AbortedError, RunError where a thread died */
  evaluationCrops(files: readonly string[], signal?: AbortSignal): Promise<Crop[]> {
    return this.#spread(
      files,
      (_, i) => i % this.threads,
      (worker, part) => worker.call('evaluationCrops', [part], { signal }),
    );
  }

  /**
   * Images varied at random, in the order of `crops`. While the number of threads stays the same, a file always goes to
   * the same one, which may still have it decoded; another thread takes over its share of the files only.
   * @param views of each image; of several, the first is without `augmix` and the others differ in it alone
   * @throws AbortedError, RunError where a thread died
   */
  trainingCrops(
    crops: readonly TrainingCrop[],
    policy: Policy,
    { views = 1, signal }: { readonly views?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Crop[]> {
    return this.#spread(
      crops,
      ({ source, key }) => placeOf(typeof source === 'string' ? source : key.id, this.trainingShare.threads),
      (worker, part) => worker.call('trainingCrops', [part, policy, views], { signal }),
    );
  }

  /** Where the time of each thread went so far, if the pool was started with a track. */
  async profile(): Promise<TrackRecord[]> {
    const records = await Promise.all(this.#workers.map((worker) => worker.call('profile', [])));
    return records.filter((record) => record !== undefined);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #spread<T>(
    items: readonly T[],
    place: (item: T, index: number) => number,
    ask: (worker: WorkerClient<ImageWorkerApi>, part: T[]) => Promise<Crops>,
  ): Promise<Crop[]> {
    const parts = this.#workers.map(() => [] as number[]);
    for (const [i, item] of items.entries()) parts[place(item, i)]!.push(i);
    const results: Crop[] = [];
    await Promise.all(
      parts.map(async (indices, w) => {
        if (indices.length === 0) return;
        const { pixels, errors } = await ask(
          this.#workers[w]!,
          indices.map((i) => items[i]!),
        );
        const bytes = pixels.length / indices.length;
        for (const [at, i] of indices.entries()) {
          const error = errors[at];
          results[i] = error === undefined ? { pixels: pixels.subarray(at * bytes, (at + 1) * bytes) } : { error };
        }
      }),
    );
    return results;
  }
}

/**
 * The thread, of `threads`, that has most of a claim to a file (rendezvous hashing, Thaler and Ravishankar 1998): with
 * one thread more, files go to the new one or stay where they are.
 */
function placeOf(file: string, threads: number): number {
  let place = 0;
  for (let thread = 1, most = threads > 1 ? hashOf(`${file}/0`) : 0; thread < threads; thread++) {
    const claim = hashOf(`${file}/${thread}`);
    if (claim > most) [place, most] = [thread, claim];
  }
  return place;
}

/** FNV-1a, 32 bits, finished as MurmurHash3 does it: the last character decides about all bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
