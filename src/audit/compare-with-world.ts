import { randomStream } from '../core/random.ts';
import { wilsonInterval } from '../evaluate/interval.ts';
import type { Estimate, Finding, Severity } from './finding.ts';
import type { MeasuredImage } from './measure-images.ts';
import { PROPERTIES, propertyOf, type GroupMeasures, type PropertyKey } from './properties.ts';
import { bootstrapInterval, quantile } from '../evaluate/bootstrap.ts';
import { ascending, cliffsDelta, drawn, holm, permutationTest } from './statistics.ts';

/** Numbers of each side that are compared: more tell nothing new at the size of a difference that matters. */
const MOST_COMPARED = 1500;
const FEWEST_COMPARED = 8;
/** Of all comparisons together. */
const LEVEL = 0.01;
/** Cliff's delta from which a shift matters (0.147 counts as small, 0.33 as medium: Romano et al. 2006). */
const LEAST_DELTA = 0.2;
/** Of the data: beyond these quantiles a value counts as not covered. A twentieth of the world is there by chance. */
const COVERED = [0.025, 0.975] as const;
/** Share of the world beyond them from which a gap matters. */
const LEAST_UNCOVERED = 0.15;
const EXAMPLES = 6;

export interface Uncovered extends Estimate {
  /** Shares of the world's images below and above what the data covers. */
  readonly below: number;
  readonly above: number;
}

/** One property, in the data and in the world. */
export interface Comparison {
  readonly property: PropertyKey;
  /** 2.5th, 25th, 50th, 75th and 97.5th percentile. */
  readonly data: readonly number[];
  readonly world: readonly number[];
  /** By a permutation test of the energy distance, corrected for the number of properties (Holm). */
  readonly p: number;
  /** Cliff's delta: positive where the world lies higher. */
  readonly delta: number;
  /** Share of the world's images beyond the data's 2.5th and 97.5th percentile; 0.05 where both are alike. */
  readonly uncovered: Uncovered;
  /** Whether it is a finding. */
  readonly differs: boolean;
}

/** Compares each property that was measured; both sides need at least 8 images that have it. */
export function compareWithWorld(
  data: readonly GroupMeasures[],
  world: readonly GroupMeasures[],
  seed: number,
): Comparison[] {
  const values = (images: readonly GroupMeasures[], key: PropertyKey): number[] =>
    drawn(
      images.map((measures) => measures[key] ?? Number.NaN).filter((value) => !Number.isNaN(value)),
      MOST_COMPARED,
      randomStream(seed, 'audit', key, images === data ? 'data' : 'world'),
    );
  const pairs = PROPERTIES.map(({ key }) => ({ key, data: values(data, key), world: values(world, key) })).filter(
    (pair) => pair.data.length >= FEWEST_COMPARED && pair.world.length >= FEWEST_COMPARED,
  );
  const ps = holm(
    pairs.map((pair) => permutationTest(pair.data, pair.world, randomStream(seed, 'audit', pair.key, 'splits'))),
  );
  return pairs.map(({ key, ...pair }, i) => {
    const [one, other] = [ascending(pair.data), ascending(pair.world)];
    const delta = cliffsDelta(one, other);
    const uncovered = uncoveredShare(one, other);
    const isLarge =
      Math.abs(delta) >= LEAST_DELTA || (uncovered.value >= LEAST_UNCOVERED && uncovered.interval![0] > 0.05);
    return {
      property: key,
      data: percentiles(one),
      world: percentiles(other),
      p: ps[i]!,
      delta,
      uncovered,
      differs: ps[i]! <= LEVEL && isLarge,
    };
  });
}

/** A finding for each property that differs. */
export function worldFindings(
  comparisons: readonly Comparison[],
  data: readonly MeasuredImage[],
  world: readonly MeasuredImage[],
  classes: readonly string[],
  seed: number,
): Finding[] {
  return comparisons
    .filter(({ differs }) => differs)
    .map((comparison) => findingOf(comparison, data, world, classes, seed));
}

function findingOf(
  comparison: Comparison,
  data: readonly MeasuredImage[],
  world: readonly MeasuredImage[],
  classes: readonly string[],
  seed: number,
): Finding {
  const { property: key, uncovered, delta, p } = comparison;
  const property = propertyOf(key);
  const [one, other] = [data, world].map((images) => ascending(images.map(({ measures }) => measures[key]))) as [
    Float64Array,
    Float64Array,
  ];
  const [low, high] = [quantile(one, COVERED[0]), quantile(one, COVERED[1])];
  const reaches = [
    ...(uncovered.below >= 0.05 ? [`${percent(uncovered.below)} ${property.low}`] : []),
    ...(uncovered.above >= 0.05 ? [`${percent(uncovered.above)} ${property.high}`] : []),
  ];
  const covers = uncovered.value >= LEAST_UNCOVERED;
  const shift = `The world is ${delta > 0 ? property.high : property.low} (${property.name}: median ${number(comparison.world[2]!)} against ${number(comparison.data[2]!)})`;
  const gap = `of its images, ${reaches.join(' and ')} than all but a fortieth of the data`;
  const stream = randomStream(seed, 'audit', key, 'bootstrap');
  const sample = (values: Float64Array): number[] => drawn([...values], MOST_COMPARED, stream);
  return {
    kind: 'differs-from-world',
    severity: severityOf(uncovered.value, delta),
    what: covers
      ? Math.abs(delta) >= LEAST_DELTA
        ? `${shift}; ${gap}.`
        : `The world reaches further in ${property.name}: ${gap}.`
      : `${shift}; the data reaches as far.`,
    advice: adviceOf(property.group, covers),
    property: key,
    evidence: {
      'share of the world not covered': { value: uncovered.value, interval: uncovered.interval! },
      "Cliff's delta": {
        value: delta,
        interval: bootstrapInterval(cliffsDelta, [sample(one), sample(other)], stream),
      },
      'median of the data': { value: comparison.data[2]! },
      'median of the world': { value: comparison.world[2]! },
    },
    p,
    classes: classesThatDiffer(key, data, other, classes, delta),
    examples: mostExtreme(data, key, delta > 0 ? 'low' : 'high').slice(0, EXAMPLES),
    worldExamples: (uncovered.below > uncovered.above
      ? mostExtreme(world, key, 'low')
      : mostExtreme(world, key, 'high')
    )
      .slice(0, Math.max(EXAMPLES, 1))
      .filter((id) => {
        const value = world.find(({ sample: { id: other } }) => other === id)!.measures[key];
        return value < low || value > high || !covers;
      }),
  };
}

function adviceOf(group: 'colour' | 'geometry' | 'detail' | 'file', covers: boolean): string {
  if (!covers) return 'The data has such images, but in another share: weigh or collect them as the world has them.';
  if (group === 'file') return 'Collect images of that kind, or encode and shrink the data as the world is.';
  return 'Augment as the proposed policy does, or collect such images.';
}

function severityOf(uncovered: number, delta: number): Severity {
  if (uncovered >= 0.4 || (uncovered >= 0.25 && Math.abs(delta) >= 0.5)) return 'high';
  if (uncovered >= LEAST_UNCOVERED) return 'medium';
  return Math.abs(delta) >= 0.5 ? 'medium' : 'low';
}

function uncoveredShare(data: Float64Array, world: Float64Array): Uncovered {
  const [low, high] = [quantile(data, COVERED[0]), quantile(data, COVERED[1])];
  const below = world.filter((value) => value < low).length;
  const above = world.filter((value) => value > high).length;
  return {
    value: (below + above) / world.length,
    interval: wilsonInterval(below + above, world.length),
    below: below / world.length,
    above: above / world.length,
  };
}

/** Where not all do: names of those that lie off the world in the same direction. */
function classesThatDiffer(
  key: PropertyKey,
  data: readonly MeasuredImage[],
  world: Float64Array,
  classes: readonly string[],
  delta: number,
): string[] {
  const differing = classes.filter((_, label) => {
    const own = ascending(data.filter(({ sample }) => sample.label === label).map(({ measures }) => measures[key]));
    return own.length >= FEWEST_COMPARED && cliffsDelta(own, world) * Math.sign(delta) >= LEAST_DELTA;
  });
  return differing.length === classes.length ? [] : differing;
}

/** Ids, the most extreme first. */
export function mostExtreme(images: readonly MeasuredImage[], key: PropertyKey, end: 'low' | 'high'): string[] {
  const sign = end === 'low' ? 1 : -1;
  return images
    .filter(({ measures }) => !Number.isNaN(measures[key]))
    .toSorted((a, b) => sign * (a.measures[key] - b.measures[key]))
    .map(({ sample }) => sample.id);
}

function percentiles(sorted: Float64Array): number[] {
  return [0.025, 0.25, 0.5, 0.75, 0.975].map((share) => quantile(sorted, share));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} % are`;
}

function number(value: number): string {
  return value.toPrecision(3);
}
