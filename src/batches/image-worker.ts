import { workerData } from 'node:worker_threads';
import { timed, timedSync, Track, type TrackRecord } from '../core/profile.ts';
import { tensor } from '../core/tensor.ts';
import { decodeImage, type DecodedImage } from '../images/decode.ts';
import { decodeShrunk } from '../images/decode-shrunk.ts';
import { ImageError } from '../images/image-error.ts';
import { EngineHost, type SessionId } from '../runtime/engine-host.ts';
import { serve } from '../runtime/worker-server.ts';
import type { WorkerState } from '../runtime/worker-state.ts';
import type { Policy } from '../augment/policy.ts';
import { drawTrainingCrop, type DrawKey } from './training-crop.ts';

/** A thread that reads, decodes and crops images. */

export interface ImageWorkerOptions {
  /** The crop graph as an ONNX file. */
  readonly cropModel: Uint8Array;
  /** Height and width of crops. */
  readonly size: readonly [number, number];
  readonly maxPixels: number;
  /** Bytes of decoded images that all threads together keep for the next epoch. */
  readonly decodedBytes: number;
  /** What they keep now, in shared memory. */
  readonly decodedShared: BigInt64Array<SharedArrayBuffer>;
  /** Measures where time goes, on a track of this name. */
  readonly profileAs?: string;
}

/**
 * Crops one after the other in `pixels`, where images have several views all those of one image together; an entry of
 * `errors` says why what belongs at its place is missing.
 */
export interface Crops {
  readonly pixels: Uint8Array;
  readonly errors: readonly (string | undefined)[];
}

export interface TrainingCrop {
  /** A file, or pixels of the crop's size that were made before. */
  readonly source: string | Uint8Array;
  readonly key: DrawKey;
  /** The image's class, where it has one. */
  readonly label: string | undefined;
}

function handlers(): {
  start: (options: ImageWorkerOptions) => void;
  evaluationCrops: (files: readonly string[]) => Promise<Crops>;
  trainingCrops: (crops: readonly TrainingCrop[], policy: Policy, views: number) => Promise<Crops>;
  profile: () => TrackRecord | undefined;
  close: () => Promise<void>;
} {
  let options: ImageWorkerOptions;
  let track: Track | undefined;
  let engine: { host: EngineHost; session: SessionId } | undefined;
  const decoded = new Map<string, DecodedImage>();

  /** Loaded with the first crop: training alone does not need it. */
  const openEngine = async (): Promise<{ host: EngineHost; session: SessionId }> => {
    const { host } = await EngineHost.start('cpu', 1);
    const { id } = await host.load(options.cropModel, { name: 'the crop graph' });
    return { host, session: id };
  };

  /** Kept until the budget is spent: in an order that is new each epoch, throwing out what was used last gains nothing. */
  const decodeForTraining = async (file: string): Promise<DecodedImage> => {
    const known = decoded.get(file);
    if (known !== undefined) {
      track?.count('decoded before', 1);
      return known;
    }
    const image = await decodeShrunk(file, 2 * Math.max(...options.size), { maxPixels: options.maxPixels, track });
    const bytes = BigInt(image.data.byteLength);
    if (Atomics.add(options.decodedShared, 0, bytes) + bytes <= options.decodedBytes) decoded.set(file, image);
    else Atomics.sub(options.decodedShared, 0, bytes);
    return image;
  };

  const cropEach = async <T>(
    items: readonly T[],
    views: number,
    crop: (item: T, into: Uint8Array, offset: number) => Promise<void>,
  ) => {
    const bytes = views * options.size[0] * options.size[1] * 3;
    const pixels = new Uint8Array(items.length * bytes);
    const errors: (string | undefined)[] = [];
    for (const [i, item] of items.entries())
      try {
        await crop(item, pixels, i * bytes);
        errors.push(undefined);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        errors.push(error.message);
      }
    return { pixels, errors };
  };

  return {
    start(given) {
      options = given;
      if (given.profileAs !== undefined) track = new Track(given.profileAs);
    },
    evaluationCrops: (files) =>
      cropEach(files, 1, async (file, into, offset) => {
        const { width, height, data } = await decodeImage(file, { maxPixels: options.maxPixels, track });
        engine ??= await timed(track, 'load the crop graph', openEngine);
        const { host, session } = engine;
        const feeds = { image: tensor('uint8', [1, height, width, 3], data) };
        const run = { session, feeds, resident: {}, keep: {}, fetch: ['crop'] };
        const [result] = await timed(track, 'crop graph', () => host.run([run], () => false), 1);
        into.set(result!['crop']!.data as Uint8Array, offset);
      }),
    trainingCrops: (crops, policy, views) =>
      cropEach(crops, views, async ({ source, key, label }, into, offset) => {
        const [height, width] = options.size;
        const input = { width, height };
        const image = typeof source === 'string' ? await decodeForTraining(source) : { ...input, data: source };
        const draw = (): void => {
          for (let i = 0; i < views; i++) {
            const view = views === 1 ? undefined : i;
            drawTrainingCrop(image, policy, key, label, view, input, into, offset + i * width * height * 3);
          }
        };
        timedSync(track, 'augment', draw, 1);
      }),
    profile: () => track?.record(),
    async close() {
      await engine?.host.close();
    },
  };
}

export type ImageWorkerApi = ReturnType<typeof handlers>;

serve(workerData as WorkerState, handlers);
