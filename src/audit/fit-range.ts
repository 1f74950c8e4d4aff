import type { RandomStream } from '../core/random.ts';
import type { Candidate } from './candidates.ts';
import type { Estimate } from './finding.ts';
import type { Response } from './response.ts';
import { quantile } from '../evaluate/bootstrap.ts';
import { ascending } from './statistics.ts';

/** How often an operation is done: the simplest first. */
const PROBABILITIES = [1, 0.7, 0.5, 0.3] as const;
/** By how much a less simple way must be nearer to be taken. */
const WORTH_A_PROBABILITY = 0.9;
const WORTH_ONE_SIDE = 0.85;
/** Of ways this near to the best, the one that changes least. */
const AS_GOOD = 1.02;

export interface FittedRange {
  readonly low: number;
  readonly high: number;
  readonly probability: number;
  /** [values]: how often each value of the candidate is drawn. */
  readonly settings: Float64Array;
  readonly distance: number;
}

/**
 * The range of an operation's values that brings images nearest to the world, and how often it is done. A range to both
 * sides goes before one to one side where the operation has two, and doing it always before doing it at times.
 * @param images, world how often each image counts
 */
export function fitRange(
  candidate: Candidate,
  response: Response,
  images: ArrayLike<number>,
  world: ArrayLike<number>,
): FittedRange {
  const { values, isSigned, identity } = candidate;
  const ways: (FittedRange & { readonly handicap: number })[] = [];
  for (let low = 0; low < values.length; low++)
    for (let high = low; high < values.length; high++)
      for (const probability of PROBABILITIES) {
        if (probability < 1 && low === high && values[low] === identity) continue;
        const settings = settingsOf(candidate, low, high, probability);
        const isEven = !isSigned || Math.abs(values[low]! + values[high]! - 2 * identity) < 1e-9;
        ways.push({
          low: values[low]!,
          high: values[high]!,
          probability,
          settings,
          distance: response.distance(settings, images, world),
          handicap: (probability < 1 ? WORTH_A_PROBABILITY : 1) * (isEven ? 1 : WORTH_ONE_SIDE),
        });
      }
  const handicapped = ({ distance, handicap }: (typeof ways)[number]): number => distance / handicap;
  const best = Math.min(...ways.map(handicapped));
  const good = ways.filter((way) => handicapped(way) <= best * AS_GOOD);
  return good.reduce((least, way) => (changeOf(candidate, way) < changeOf(candidate, least) ? way : least));
}

/** How often each value is drawn where values are drawn evenly from a range, and the operation is done at times. */
function settingsOf(candidate: Candidate, low: number, high: number, probability: number): Float64Array {
  const { values, identity, isLogarithmic } = candidate;
  const settings = new Float64Array(values.length);
  const at = (i: number): number => (isLogarithmic ? Math.log(values[i]!) : values[i]!);
  if (low === high) settings[low] = probability;
  else
    for (let i = low; i <= high; i++) {
      // Half of the way to each neighbour within the range.
      const [from, to] = [at(Math.max(low, i - 1)), at(Math.min(high, i + 1))];
      settings[i] = (probability * (to - from)) / 2 / (at(high) - at(low));
    }
  settings[values.indexOf(identity)]! += 1 - probability;
  return settings;
}

/** Mean number of steps of the candidate's values away from the identity. */
function changeOf({ values, identity }: Candidate, { settings }: FittedRange): number {
  const middle = values.indexOf(identity);
  return settings.reduce((sum, share, i) => sum + share * Math.abs(i - middle), 0);
}

const RESAMPLES = 200;

/** Which images a range is fitted on, and which it is checked on: how often each counts. */
export interface Halves {
  readonly fit: Float64Array;
  readonly check: Float64Array;
  readonly all: Float64Array;
}

/** Images come shuffled: every other one. */
export function halves(count: number): Halves {
  const of = (isIn: (i: number) => boolean): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => (isIn(i) ? 1 : 0));
  return { fit: of((i) => i % 2 === 0), check: of((i) => i % 2 === 1), all: of(() => true) };
}

/** How often each value is drawn where the operation is not done. */
export function untouched({ values, identity }: Candidate): number[] {
  return values.map((value) => (value === identity ? 1 : 0));
}

/**
 * Share of the distance to the world that the range fitted on one half takes away on the other, with the middle 95 % over
 * images drawn again.
 */
export function heldOutGain(
  candidate: Candidate,
  response: Response,
  images: Halves,
  world: Halves,
  stream: RandomStream,
): Required<Estimate> {
  const { settings } = fitRange(candidate, response, images.fit, world.fit);
  const gain = (own: ArrayLike<number>, others: ArrayLike<number>): number => {
    const before = response.distance(untouched(candidate), own, others);
    return before === 0 ? 0 : 1 - response.distance(settings, own, others) / before;
  };
  const again = (half: Float64Array): Float64Array => {
    const members = [...half.keys()].filter((i) => half[i]! > 0);
    const counts = new Float64Array(half.length);
    for (let i = 0; i < members.length; i++) counts[members[stream.integer(members.length)]!]!++;
    return counts;
  };
  const gains = ascending(Array.from({ length: RESAMPLES }, () => gain(again(images.check), again(world.check))));
  return { value: gain(images.check, world.check), interval: [quantile(gains, 0.025), quantile(gains, 0.975)] };
}
