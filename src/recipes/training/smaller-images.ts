import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import { InputError } from '../../core/errors.ts';
import { atInputSize } from '../../models/input-size.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import type { Phase } from '../../train/loop.ts';
import type { StepOptions } from '../../train/step-options.ts';
import type { Network } from '../networks/network.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from '../workshop/workshop.ts';

/**
 * Training on smaller images first and finishing at the network's own size, as in FixRes (Touvron et al. 2019,
 * https://arxiv.org/abs/1906.06423): most of the training costs less, and the last epochs take away the difference between the
 * sizes of things that training and evaluation see. The paper fine-tunes the classifier and batch norm at the larger
 * size; here everything goes on training, at what the schedule has left.
 */
type SizeOptions = Pick<ResolvedTrainOptions, 'trainSize' | 'finalEpochs'>;

/** Of all epochs, those at the full size where nothing is said. */
const FINAL_SHARE = 0.2;

/** How many epochs, the first ones, see smaller images. */
export function smallerEpochs(epochs: number, { trainSize, finalEpochs }: SizeOptions): number {
  if (trainSize === undefined) return 0;
  return Math.max(0, epochs - (finalEpochs ?? Math.max(1, Math.round(FINAL_SHARE * epochs))));
}

/** The preprocessing in an epoch, counted from 1. */
export function preprocessingIn(
  epoch: number,
  full: Preprocessing,
  epochs: number,
  options: SizeOptions,
): Preprocessing {
  return epoch <= smallerEpochs(epochs, options) ? smaller(full, options.trainSize!) : full;
}

/** @throws InputError where the network takes no images of that size, or they would not be smaller */
export function onSmallerImages(network: Network, side: number): Network {
  const preprocessing = smaller(network.preprocessing, side);
  const { inputSize, layout } = preprocessing;
  return { ...network, graph: atInputSize(network.graph, inputSize, layout), preprocessing };
}

/** `side` is the height; the width keeps the aspect. */
function smaller(full: Preprocessing, side: number): Preprocessing {
  const [height, width] = full.inputSize;
  if (side >= height)
    throw new InputError(
      `Training begins at a smaller side and ends at the network's own of ${height} pixels; got ${side} to begin with (--train-size).`,
    );
  return { ...full, inputSize: [side, Math.round((side * width) / height)] };
}

/** What is done, for a person. @throws InputError where it can't be */
export function describeSizes(network: Network, epochs: number, options: SizeOptions): string | undefined {
  if (options.trainSize === undefined) return undefined;
  const until = smallerEpochs(epochs, options);
  if (until === 0)
    throw new InputError(
      `Of ${epochs} epochs, those at the full side (--final-epochs ${options.finalEpochs ?? 1}) leave none for the smaller one.`,
    );
  const { preprocessing } = onSmallerImages(network, options.trainSize);
  return `Size of training images: ${preprocessing.inputSize.join('x')} in epochs 1 to ${until}, ${network.preprocessing.inputSize.join('x')} from then on.`;
}

/** The phases of a training whose first `epochs` take the smaller images. */
export function beginningSmaller(
  phases: readonly Phase[],
  images: Pick<StepOptions, 'graph' | 'images'>,
  epochs: number,
): Phase[] {
  const switchAt = epochs + 1;
  const { step } = phases.findLast(({ fromEpoch }) => fromEpoch <= switchAt)!;
  return [
    ...phases
      .filter(({ fromEpoch }) => fromEpoch < switchAt)
      .map((phase) => ({ ...phase, step: { ...phase.step, ...images } })),
    { fromEpoch: switchAt, step },
    ...phases.filter(({ fromEpoch }) => fromEpoch > switchAt),
  ];
}

/** Threads that crop to the size of a phase: those of the workshop, or others while they are needed. */
export class ImagesBySize implements AsyncDisposable {
  readonly #workshop: Pick<Workshop, 'pool' | 'crops'>;
  readonly #maxPixels: number;
  #other: ImagePool | undefined;

  constructor(workshop: Pick<Workshop, 'pool' | 'crops'>, maxPixels: number) {
    this.#workshop = workshop;
    this.#maxPixels = maxPixels;
  }

  /** For a step on pixels. What another size was cropped by is closed. */
  async of({ images }: Pick<StepOptions, 'images'>): Promise<Pick<Workshop, 'pool' | 'crops'>> {
    if (images.kind !== 'pixels') return this.#workshop;
    const { preprocessing } = images;
    const { pool } = this.#workshop;
    const isOf = (other: ImagePool): boolean =>
      String(other.preprocessing.inputSize) === String(preprocessing.inputSize);
    if (this.#other !== undefined && !isOf(this.#other)) await this[Symbol.asyncDispose]();
    if (isOf(pool)) return this.#workshop;
    this.#other ??= await ImagePool.start(preprocessing, {
      threads: pool.threads,
      maxPixels: this.#maxPixels,
      track: pool.track,
    });
    return { pool: this.#other, crops: new EvaluationCrops(this.#other, new CropCache(preprocessing)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#other?.dispose();
    this.#other = undefined;
  }
}
