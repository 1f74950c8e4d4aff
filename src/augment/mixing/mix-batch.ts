import { shuffled, type RandomStream } from '../../core/random.ts';
import type { Size } from '../../images/pixels.ts';
import type { Item } from '../element.ts';
import { MIXERS } from './mixers.ts';
import type { Ratio } from './mixer.ts';

export interface MixedImage {
  /** Places in the batch of the images that it is made of; itself first, if it is seen at all. */
  readonly sources: readonly number[];
  /** The share of each, with sum 1. */
  readonly shares: readonly number[];
  /** The mixer, or nothing where the image stays as it is. */
  readonly by: string | undefined;
}

/** Where training stands: mixing can be off in the last epochs. */
export interface EpochOf {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
}

/**
 * Mixes the images of a batch in place, each with others of the same batch. Partners come from a random circle through the
 * batch, in which an image follows itself only in a batch of one.
 * @param images [N, height, width, 3]
 * @param item a mixer, or a switch between several
 * @param stream of this batch alone
 * @returns what each image is made of
 */
export function mixBatch(
  images: Uint8Array,
  size: Size,
  item: Item,
  { epoch, epochs }: EpochOf,
  stream: RandomStream,
): MixedImage[] {
  const bytes = size.width * size.height * 3;
  const count = images.length / bytes;
  const isOff = count < 2 || epoch > epochs - (item.arguments['off'] as number);
  const draws = isOff ? Array.from({ length: count }, () => undefined) : drawsOf(item, count, stream);
  const most = Math.max(...draws.map((draw) => draw?.images ?? 1));
  if (most === 1) return draws.map((_, i) => ({ sources: [i], shares: [1], by: undefined }));
  const before = images.slice();
  const partners = partnersOf(count, most - 1, stream);
  return draws.map((draw, i) => {
    if (draw === undefined) return { sources: [i], shares: [1], by: undefined };
    const places = [i, ...partners.slice(0, draw.images - 1).map((order) => order[i]!)];
    const sources = places.map((at) => ({ ...size, data: before.subarray(at * bytes, (at + 1) * bytes) }));
    const into = images.subarray(i * bytes, (i + 1) * bytes);
    const shares = MIXERS.get(draw.name)!.mix(draw.ratio, sources, stream, into);
    return { ...eachOnce(places, shares), by: draw.name };
  });
}

/** [N, K] label distributions of mixed images. @param targets [N, K], row by row */
export function mixTargets(targets: Float32Array, mixed: readonly MixedImage[]): Float32Array {
  const classes = targets.length / mixed.length;
  const result = new Float32Array(targets.length);
  for (const [i, { sources, shares }] of mixed.entries())
    for (const [j, source] of sources.entries())
      for (let k = 0; k < classes; k++) result[i * classes + k]! += shares[j]! * targets[source * classes + k]!;
  return result;
}

/**
 * The same where images count differently, so that the loss of a mixed image is the mixture of its sources' weighted losses:
 * it weighs sum_j share_j weight_j, and its distribution is sum_j share_j weight_j target_j over that.
 * @param weights [N], 0 or more
 */
export function mixWeighted(
  targets: Float32Array,
  weights: Float32Array,
  mixed: readonly MixedImage[],
): { readonly targets: Float32Array; readonly weights: Float32Array } {
  const classes = targets.length / mixed.length;
  const mixedWeights = mixTargets(weights, mixed);
  const plain = mixTargets(targets, mixed);
  const sums = mixTargets(
    targets.map((value, i) => value * weights[Math.floor(i / classes)]!),
    mixed,
  );
  return {
    // What counts for nothing still needs a distribution.
    targets: sums.map((sum, i) => {
      const weight = mixedWeights[Math.floor(i / classes)]!;
      return weight === 0 ? plain[i]! : sum / weight;
    }),
    weights: mixedWeights,
  };
}

interface Draw {
  readonly name: string;
  readonly images: number;
  readonly ratio: Ratio;
}

/** For each image, how it is mixed, or undefined. */
function drawsOf(item: Item, count: number, stream: RandomStream): (Draw | undefined)[] {
  if (item.arguments['per'] === 'batch') {
    const draw = drawOf(item, stream);
    return Array.from({ length: count }, () => draw);
  }
  return Array.from({ length: count }, () => drawOf(item, stream));
}

function drawOf(item: Item, stream: RandomStream): Draw | undefined {
  if (stream.uniform() >= (item.arguments['p'] as number)) return undefined;
  if (item.sequences.length > 0) return drawOf(item.sequences[stream.integer(item.sequences.length)]![0]!, stream);
  const mixer = MIXERS.get(item.name)!;
  return { name: item.name, images: mixer.images(item.arguments), ratio: mixer.ratio(item.arguments, stream) };
}

/** Partners of each image: `rounds` orders in which no image has itself, and none twice while the batch is large enough. */
function partnersOf(count: number, rounds: number, stream: RandomStream): number[][] {
  const circle = shuffled(
    Array.from({ length: count }, (_, i) => i),
    stream,
  );
  const steps = shuffled(
    Array.from({ length: count - 1 }, (_, i) => i + 1),
    stream,
  );
  const orders: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const partners: number[] = [];
    for (const [at, image] of circle.entries()) partners[image] = circle[(at + steps[round % steps.length]!) % count]!;
    orders.push(partners);
  }
  return orders;
}

/** An image that is in a mixture several times is counted once; one that is hidden, not at all. */
function eachOnce(places: readonly number[], shares: readonly number[]): Pick<MixedImage, 'sources' | 'shares'> {
  const total = new Map<number, number>();
  for (const [i, place] of places.entries()) total.set(place, (total.get(place) ?? 0) + shares[i]!);
  const seen = [...total].filter(([, share]) => share > 0);
  return { sources: seen.map(([source]) => source), shares: seen.map(([, share]) => share) };
}
