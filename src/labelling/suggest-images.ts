import type { RandomStream } from '../core/random.ts';
import { kMeans, squaredDistance } from './k-means.ts';
import { checkProbabilities, type Probabilities } from './probabilities.ts';

export interface SuggestInput {
  /** [N, D] of all images, labelled or not; few dimensions, such as leading principal components. */
  readonly embeddings: Float64Array;
  /** [N] whether an image has a label, or may not be asked about. */
  readonly known: readonly boolean[];
  /** [N, K] of the model so far. */
  readonly probabilities: Probabilities;
  readonly classes: number;
}

export interface Suggestion {
  /** Row of the image. */
  readonly index: number;
  /** 1 less the margin between its two likeliest classes, 0..1. */
  readonly uncertainty: number;
  /** How near its neighbours are, as a share of the most typical image of its group of alike ones, 0..1. */
  readonly typicality: number;
  /** Images in that group, and how many of them are known. */
  readonly alike: number;
  readonly alikeKnown: number;
}

/** Neighbours that an image's typicality is measured by, as in the paper's code. */
const NEIGHBOURS = 20;
/** Groups of fewer images are odd ones out. */
const LEAST_GROUP = 5;
/** More groups cost time and are smaller than what is alike. */
const MOST_GROUPS = 500;
/** From so many labels a class on, what the model is unsure of counts in full. */
const ENOUGH_LABELS = 5;

/**
 * Which images to label next, the most useful first: images are put into as many groups of alike ones as there will be labels, those with
 * fewest labels come first, then the largest, and each gives the image that is most typical of it (TypiClust, Hacohen et al. 2022,
 * arXiv:2202.02794, algorithm 1) and that the model is unsure of: typicality times uncertainty^e, with e growing from 0 to 1 by the labels a
 * class, as few labels make a model that does not know what it does not know.
 * @param count at most; fewer where fewer images are unknown
 * @throws RangeError where sizes disagree
 * @example
 * const picked = suggestImages({ embeddings, known, probabilities, classes: 10 }, 50, randomStream(0, 'suggest'));
 */
export function suggestImages(input: SuggestInput, count: number, stream: RandomStream): Suggestion[] {
  const { embeddings, known, probabilities, classes } = input;
  const rows = checkProbabilities(probabilities, classes, 'images');
  const width = embeddings.length / rows;
  if (known.length !== rows || !Number.isInteger(width))
    throw new RangeError(`${rows} rows of probabilities need as many of all else, got ${known.length} and ${width}.`);
  const labels = known.filter(Boolean).length;
  const wanted = Math.min(count, rows - labels);
  if (wanted === 0) return [];
  const { assigned } = kMeans(embeddings, width, Math.min(labels + wanted, MOST_GROUPS, rows), stream);
  const exponent = Math.min(1, labels / (classes * ENOUGH_LABELS));
  const groups = groupsOf(assigned, known).toSorted(
    (a, b) => Number(isOdd(a)) - Number(isOdd(b)) || a.known - b.known || b.members.length - a.members.length,
  );
  const taken: Suggestion[] = [];
  // Groups give one image each in turn, again where there are fewer groups than are asked for.
  const left = groups.map((group) => ({ group, images: judged(group) }));
  while (taken.length < wanted)
    for (const { images } of left) {
      const next = images.shift();
      if (next !== undefined && taken.length < wanted) taken.push(next);
    }
  return taken;

  function judged({ members, known: alikeKnown }: Group): Suggestion[] {
    const open = members.filter((i) => !known[i]);
    const near = open.map((i) => typicality(embeddings, width, i, open));
    const most = Math.max(...near);
    return open
      .map((index, at): Suggestion => ({
        index,
        uncertainty: uncertainty(probabilities, index, classes),
        // Of copies of one image all are as typical as can be.
        typicality: most === Infinity ? (near[at] === Infinity ? 1 : 0) : near[at]! / most,
        alike: members.length,
        alikeKnown,
      }))
      .toSorted((a, b) => score(b, exponent) - score(a, exponent) || a.index - b.index);
  }
}

interface Group {
  readonly members: readonly number[];
  readonly known: number;
}

function groupsOf(assigned: Int32Array, known: readonly boolean[]): Group[] {
  const members = new Map<number, number[]>();
  for (const [i, cluster] of assigned.entries()) members.set(cluster, [...(members.get(cluster) ?? []), i]);
  return [...members.values()].map((own) => ({ members: own, known: own.filter((i) => known[i]).length }));
}

function isOdd({ members }: Group): boolean {
  return members.length < LEAST_GROUP;
}

function score({ typicality: near, uncertainty: unsure }: Suggestion, exponent: number): number {
  return near * unsure ** exponent;
}

/** 1 over the mean distance to the nearest of `others` (eq. 1); 1 for one that is alone. */
function typicality(embeddings: Float64Array, width: number, row: number, others: readonly number[]): number {
  const distances = others
    .filter((other) => other !== row)
    .map((other) => Math.sqrt(squaredDistance(embeddings, row * width, embeddings, other * width, width)))
    .toSorted((a, b) => a - b)
    .slice(0, NEIGHBOURS);
  return distances.length === 0 ? 1 : distances.length / distances.reduce((sum, d) => sum + d, 0);
}

function uncertainty(probabilities: Probabilities, row: number, classes: number): number {
  const [first, second] = Array.from(probabilities.subarray(row * classes, (row + 1) * classes)).toSorted((a, b) => b - a) as [number, number]; // prettier-ignore
  return 1 - (first - second);
}
