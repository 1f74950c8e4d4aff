import { AbortedError, InputError } from '../core/errors.ts';
import { timedSync } from '../core/profile.ts';
import { randomStream } from '../core/random.ts';
import { tensor, type Tensor } from '../core/tensor.ts';
import { mixBatch, mixTargets, mixWeighted, type MixedImage } from '../augment/mixing/mix-batch.ts';
import type { Item } from '../augment/element.ts';
import { mixerOf, mixes, readsFiles, repeatsOf, uses, type Policy } from '../augment/policy.ts';
import type { Quarantined } from '../datasets/dataset.ts';
import type { EvaluationCrops, ImageSource } from './evaluation-crops.ts';
import type { Crop, ImagePool } from './image-pool.ts';
import { epochOrder, timesBefore, type OrderPart } from './epoch-order.ts';
import type { ThreadChoice } from './thread-share.ts';
import type { DrawKey } from './training-crop.ts';

export interface TrainingItem extends ImageSource {
  /** A class index, or a probability for each of K classes. Where one item has probabilities, batches have them for all. */
  readonly target: number | Float32Array;
  /** What it counts for, 0 or more; default 1. Where one item has a weight, batches come with weights. */
  readonly weight?: number;
}

export interface TrainingBatchesOptions {
  readonly items: readonly TrainingItem[];
  /** What an epoch has of which items, as they stand; default all, once. */
  readonly parts?: readonly OrderPart[] | undefined;
  readonly batchSize: number;
  readonly policy: Policy;
  /**
   * Of each image; of several, the first is the policy without `augmix` and the others differ from it in that alone.
   * Default 1.
   */
  readonly views?: number;
  /** Names of the classes, which a policy can tell apart; needed where labels become probabilities. */
  readonly classes: readonly string[];
  /** Of the whole training: mixing can be off in the last ones. */
  readonly epochs: number;
  readonly seed: number;
  /** Part of every random choice's key. */
  readonly stage: string;
  /** Part of the key of what is drawn for an image, beside the stage, which alone decides about their order. */
  readonly drawing?: string;
  /** Told once for each image that can't be decoded. */
  readonly onQuarantined?: (entry: Quarantined) => void;
  /** Told how many threads make the crops, once that is measured and whenever it changes. */
  readonly onThreads?: (choice: ThreadChoice) => void;
}

export interface TrainingBatch {
  /** uint8 [N, h, w, 3], of V views [N V, h, w, 3] with those of an image together; of values computed before, float32 [N, ...] */
  readonly images: Tensor;
  /** int64 [N] class indices, or float32 [N, K] probabilities. */
  readonly labels: Tensor;
  /** float32 [N], where items have weights. */
  readonly sampleWeights?: Tensor;
  readonly ids: readonly string[];
  /** What each image is made of, where the policy mixes. */
  readonly mixed?: readonly MixedImage[];
}

/** Batches that are made ahead of the one in use. */
const AHEAD = 2;

/**
 * The batches of training. What a batch holds depends on (seed, stage, epoch, position) alone, never on
 * the threads' timing or on what was asked for before, so that a resumed run sees what it would have seen.
 *
 * Every epoch has a new order of all items, or of as many as its parts say; what stands in it several times is varied
 * anew each time. All batches have one size: the last is filled up from the
 * beginning of the epoch's order, and what is seen twice is varied anew. The place of an image that can't
 * be decoded is taken by the next one in the order that can.
 */
export class TrainingBatches {
  readonly stepsPerEpoch: number;
  readonly #options: TrainingBatchesOptions;
  readonly #pool: ImagePool;
  readonly #evaluation: EvaluationCrops;
  readonly #reported = new Set<string>();
  /** Whether images are read from their files each time. */
  readonly #decodes: boolean;
  readonly #mixer: Item | undefined;
  readonly #views: number;
  /** How often an image stands in a batch. */
  readonly #times: number;
  readonly #isWeighted: boolean;
  readonly #hasProbabilities: boolean;
  /** Begun before it was asked for. */
  #prepared: Epoch | undefined;

  /** @throws RangeError without items, for a batch size under 1, targets of two widths, parts that are not the items, or several views of a policy that has none */
  constructor(pool: ImagePool, evaluation: EvaluationCrops, options: TrainingBatchesOptions) {
    const { items, batchSize, parts, views = 1 } = options;
    if (items.length === 0) throw new RangeError('Training needs at least one image, got none.');
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new RangeError(`The batch size must be an integer of at least 1, got ${batchSize}.`);
    const widths = new Set(items.flatMap(({ target }) => (typeof target === 'number' ? [] : [target.length])));
    if (widths.size > 1)
      throw new RangeError(`The targets of all images must be of the same classes, got ${[...widths]} of them.`);
    if (parts !== undefined && parts.reduce((sum, { count }) => sum + count, 0) !== items.length)
      throw new RangeError(`The parts of an epoch must be the ${items.length} items, got ${JSON.stringify(parts)}.`);
    this.stepsPerEpoch = Math.ceil(placesOf(options) / batchSize);
    this.#isWeighted = items.some(({ weight }) => weight !== undefined);
    this.#hasProbabilities = widths.size > 0;
    this.#options = options;
    this.#pool = pool;
    this.#evaluation = evaluation;
    const { policy } = options;
    this.#decodes = readsFiles(policy);
    this.#mixer = mixerOf(policy);
    if (views > 1 && (mixes(policy) || !uses(policy, 'augmix')))
      throw new RangeError(`${views} views of an image need "augmix" and nothing that mixes, got "${policy.text}".`);
    this.#views = views;
    this.#times = repeatsOf(policy);
  }

  /**
   * @param epoch counted from 1
   * @param from steps of the epoch to leave out
   * @throws AbortedError once the signal fires, InputError where no image can be decoded, RunError where a
   *   thread died
   */
  async *epoch(epoch: number, from = 0, signal?: AbortSignal): AsyncGenerator<TrainingBatch> {
    const begun = this.#take(epoch, from, signal);
    const { track, trainingShare } = this.#pool;
    // Before the first batch of an epoch, nothing was asked for ahead.
    let isFirst = true;
    while (begun.next < this.stepsPerEpoch || begun.waiting.length > 0) {
      this.#ask(begun);
      track?.level('batches ready', begun.waiting.filter(({ isReady }) => isReady).length);
      const asked = performance.now();
      const batch = await begun.waiting.shift()!.batch;
      if (signal?.aborted) throw new AbortedError('Stopped while loading training images.');
      const got = performance.now();
      yield batch;
      if (!this.#decodes) continue;
      const choice = isFirst ? undefined : trainingShare.note(got - asked, performance.now() - got);
      if (choice !== undefined) this.#options.onThreads?.(choice);
      isFirst = false;
    }
  }

  /**
   * Begins with the first batches of an epoch that will be asked for, so that they are there when it is. Another call
   * replaces the one before.
   */
  prepare(epoch: number, from = 0, signal?: AbortSignal): void {
    const begun = this.#take(epoch, from, signal);
    this.#ask(begun);
    this.#prepared = begun;
  }

  /**
   * The batches of an epoch in which an image stands, made again as training saw them.
   * @param epoch counted from 1
   * @returns with the places of the image in each
   */
  async replay(
    epoch: number,
    id: string,
  ): Promise<{ readonly step: number; readonly places: readonly number[]; readonly batch: TrainingBatch }[]> {
    const { batchSize } = this.#options;
    const begun = this.#begin(epoch, 0, undefined);
    const found = [];
    for (let step = 0; step < this.stepsPerEpoch; step++) {
      const positions = Array.from({ length: batchSize }, (_, i) => step * batchSize + i);
      if (!positions.some((position) => this.#draw(begun, position, 0).item.id === id)) continue;
      const batch = await this.#batch(begun, step);
      const places = [...batch.ids.keys()].filter((i) => batch.ids[i] === id);
      if (places.length > 0) found.push({ step, places, batch });
    }
    return found;
  }

  #take(epoch: number, from: number, signal: AbortSignal | undefined): Epoch {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared?.epoch === epoch && prepared.from === from && prepared.signal === signal) return prepared;
    return this.#begin(epoch, from, signal);
  }

  #begin(epoch: number, from: number, signal: AbortSignal | undefined): Epoch {
    const { items, parts, seed, stage } = this.#options;
    const order = epochOrder(items.length, { seed, stage, epoch }, parts);
    const before = timesBefore(order);
    const most = before.reduce((largest, times) => Math.max(largest, times), 0) + 1;
    return { epoch, from, signal, order, before, most, next: from, waiting: [] };
  }

  /** Has as many batches made as may wait. */
  #ask(begun: Epoch): void {
    for (; begun.next < this.stepsPerEpoch && begun.waiting.length <= AHEAD; begun.next++) {
      const asked = { batch: this.#batch(begun, begun.next), isReady: false };
      // Without a listener, a rejection that waits for its turn would end the process.
      asked.batch.then(
        () => (asked.isReady = true),
        () => {},
      );
      begun.waiting.push(asked);
    }
  }

  async #batch(begun: Epoch, step: number): Promise<TrainingBatch> {
    const { items, batchSize } = this.#options;
    const { epoch, signal } = begun;
    const positions = Array.from({ length: batchSize }, (_, i) => step * batchSize + i);
    const chosen = positions.map((position) => this.#draw(begun, position, 0));
    const crops = await this.#crops(chosen, signal);
    for (const [i, position] of positions.entries())
      // The n-th substitute of a place: known from order and content alone.
      for (let tried = 1; 'error' in crops[i]!; tried++) {
        this.#report(chosen[i]!.item, crops[i]!.error);
        if (tried >= items.length) throw new InputError('None of the training images can be decoded.');
        chosen[i] = this.#draw(begun, position, tried);
        [crops[i]] = (await this.#crops([chosen[i]!], signal)) as [Crop];
      }

    const [h, w] = this.#pool.preprocessing.inputSize;
    const cropBytes = this.#views * h * w * 3;
    const pixels = new Uint8Array(batchSize * cropBytes);
    const assemble = (): void => {
      for (const [i, crop] of crops.entries()) if ('pixels' in crop) pixels.set(crop.pixels, i * cropBytes);
    };
    timedSync(this.#pool.track, 'assemble', assemble, batchSize);
    const batch = {
      images: tensor('uint8', [batchSize * this.#views, h, w, 3], pixels),
      ids: chosen.map(({ item }) => item.id),
    };
    const { seed, stage, epochs, classes } = this.#options;
    const mixer = this.#mixer;
    const asked = chosen.map(({ item }) => item.target);
    const targets =
      this.#hasProbabilities || mixer !== undefined
        ? asked.map((target) => asDistribution(target, classes.length))
        : asked;
    const weights = this.#isWeighted ? Float32Array.from(chosen, ({ item }) => item.weight ?? 1) : undefined;
    const weighted = (values: Float32Array): Pick<TrainingBatch, 'sampleWeights'> => ({
      sampleWeights: tensor('float32', [batchSize], values),
    });
    if (mixer === undefined) return { ...batch, labels: labelsOf(targets), ...(weights && weighted(weights)) };
    const stream = randomStream(seed, stage, epoch, step, 'mix');
    const mix = (): MixedImage[] => mixBatch(pixels, { width: w, height: h }, mixer, { epoch, epochs }, stream);
    const mixed = timedSync(this.#pool.track, 'mix', mix, batchSize);
    const { data, shape } = labelsOf(targets);
    if (weights === undefined)
      return { ...batch, labels: tensor('float32', shape, mixTargets(data as Float32Array, mixed)), mixed };
    const made = mixWeighted(data as Float32Array, weights, mixed);
    return { ...batch, labels: tensor('float32', shape, made.targets), ...weighted(made.weights), mixed };
  }

  /** What stands `ahead` places behind `position` in the epoch's order, which starts over at its end. */
  #draw({ order, before, most, epoch }: Epoch, position: number, ahead: number): Drawing {
    const { items, seed, stage, drawing } = this.#options;
    const place = Math.floor(position / this.#times) + ahead;
    const at = place % order.length;
    const item = items[order[at]!]!;
    const time = Math.floor(place / order.length) * most + before[at]!;
    const repeated = time * this.#times + (position % this.#times);
    // A stand-in must not look like the same image in its own place.
    const occurrence = repeated + (ahead > 0 ? 1000 + ahead : 0);
    const drawn = drawing === undefined ? stage : `${stage}/${drawing}`;
    return { item, key: { seed, stage: drawn, epoch, id: item.id, occurrence } };
  }

  async #crops(drawings: readonly Drawing[], signal: AbortSignal | undefined): Promise<Crop[]> {
    const { policy } = this.#options;
    const how = { views: this.#views, signal };
    const asked = drawings.map(({ item, key }) => ({ source: item.file, key, label: this.#labelOf(item) }));
    if (this.#decodes) return this.#pool.trainingCrops(asked, policy, how);
    const fixed = await this.#evaluation.crops(
      drawings.map(({ item }) => item),
      signal,
    );
    const crops = fixed.map((crop): Crop => (crop instanceof Uint8Array ? { pixels: crop } : crop));
    if (policy.image.length <= 1) return crops;
    const made = crops.flatMap((crop, i) => ('pixels' in crop ? [{ ...asked[i]!, source: crop.pixels }] : []));
    const varied = (await this.#pool.trainingCrops(made, policy, how)).values();
    return crops.map((crop) => ('pixels' in crop ? varied.next().value! : crop));
  }

  /** Only a label that is certain names a class to the policy. */
  #labelOf({ target }: TrainingItem): string | undefined {
    return this.#options.classes[typeof target === 'number' ? target : target.indexOf(1)];
  }

  #report({ id }: TrainingItem, reason: string): void {
    if (this.#reported.has(id)) return;
    this.#reported.add(id);
    this.#options.onQuarantined?.({ file: id, reason });
  }
}

/** An epoch in the making. */
interface Epoch {
  readonly epoch: number;
  readonly from: number;
  readonly signal: AbortSignal | undefined;
  readonly order: readonly number[];
  /** Of each place, how often its item stood before; and the most that one stands in the order. */
  readonly before: readonly number[];
  readonly most: number;
  /** The step whose batch is asked for next. */
  next: number;
  readonly waiting: { readonly batch: Promise<TrainingBatch>; isReady: boolean }[];
}

interface Drawing {
  readonly item: TrainingItem;
  readonly key: DrawKey;
}

/** Of an epoch, before the last batch is filled up. */
function placesOf({ items, parts }: TrainingBatchesOptions): number {
  return parts === undefined ? items.length : parts.reduce((sum, { draws }) => sum + draws, 0);
}

function asDistribution(target: TrainingItem['target'], classes: number): Float32Array {
  return typeof target === 'number' ? Float32Array.from({ length: classes }, (_, k) => (k === target ? 1 : 0)) : target;
}

/** int64 [N] class indices, or float32 [N, K] probabilities. */
export function labelsOf(targets: readonly TrainingItem['target'][]): Tensor {
  const [first] = targets;
  if (typeof first === 'number')
    return tensor('int64', [targets.length], BigInt64Array.from(targets as number[], BigInt));
  const width = first!.length;
  const values = new Float32Array(targets.length * width);
  for (const [i, target] of targets.entries()) values.set(target as Float32Array, i * width);
  return tensor('float32', [targets.length, width], values);
}
