import { wilsonInterval } from '../evaluate/interval.ts';
import type { Finding, Severity } from './finding.ts';
import type { MeasuredImage } from './measure-images.ts';
import { PROPERTIES, type Property } from './properties.ts';
import { quantile } from '../evaluate/bootstrap.ts';
import { ascending, holm } from './statistics.ts';

const FEWEST_OF_CLASS = 20;
const FEWEST_OF_GROUP = 5;
/** Share of the class below which images are strays, not a group. */
const LEAST_OF_CLASS = 0.02;
/** Share of the class up to which a group is rare. */
const MOST_OF_CLASS = 0.25;
/** Ashman's D (1994): distance of the means over the root mean square of both deviations; above 2 they are apart. */
const LEAST_SEPARATION = 4;
/** The empty stretch between both, over the spread (10th to 90th percentile) of the larger. */
const LEAST_GAP = 0.5;
/** Of all images, what is looked at for accuracy: the fifth at each end of a property. */
const TAIL = 0.2;
const LEAST_LOSS = 0.1;
const LEVEL = 0.01;
const EXAMPLES = 6;

/** What a model said of images, by id: the name of a class. */
export type PredictedLabels = ReadonlyMap<string, string>;

interface Subgroup {
  readonly property: Property;
  readonly end: 'low' | 'high';
  readonly members: readonly MeasuredImage[];
  /** Beyond which value they lie. */
  readonly bound: number;
  readonly separation: number;
}

/**
 * Rare kinds of images: within a class, a small group that lies apart from the rest in a property; and, where
 * predictions are known, the fifths of all images on which they fail more often.
 * @param world images to see whether such ones are rare there too
 */
export function subgroupFindings(
  images: readonly MeasuredImage[],
  classes: readonly string[],
  world: readonly MeasuredImage[],
  predicted?: PredictedLabels,
): Finding[] {
  const labelled = images.filter(({ isBlank }) => !isBlank);
  const rare = classes.flatMap((name, label) => {
    const own = labelled.filter(({ sample }) => sample.label === label);
    return rareGroups(own).map((group) => rareFinding(group, own, name, classes, world, predicted));
  });
  return predicted === undefined ? rare : [...rare, ...weakTails(labelled, classes, predicted)];
}

/** The clearest groups, no image in two of them. */
function rareGroups(own: readonly MeasuredImage[]): Subgroup[] {
  if (own.length < FEWEST_OF_CLASS) return [];
  const found = PROPERTIES.filter(({ group, key }) => group !== 'file' && key !== 'flatBorder')
    .flatMap((property) => [groupAt(own, property, 'low') ?? [], groupAt(own, property, 'high') ?? []].flat())
    .toSorted((a, b) => b.separation - a.separation);
  const taken = new Set<MeasuredImage>();
  return found.filter(({ members }) => {
    if (members.some((image) => taken.has(image))) return false;
    for (const image of members) taken.add(image);
    return true;
  });
}

/** The best cut at one end of a property, if it leaves a small group apart. */
function groupAt(own: readonly MeasuredImage[], property: Property, end: 'low' | 'high'): Subgroup | undefined {
  const sign = end === 'low' ? 1 : -1;
  const sorted = own
    .filter(({ measures }) => !Number.isNaN(measures[property.key]))
    .toSorted((a, b) => sign * (a.measures[property.key] - b.measures[property.key]));
  const values = sorted.map(({ measures }) => sign * measures[property.key]);
  if (values.length < FEWEST_OF_CLASS) return undefined;
  let best: Subgroup | undefined;
  const fewest = Math.max(FEWEST_OF_GROUP, Math.ceil(LEAST_OF_CLASS * values.length));
  for (let count = fewest; count <= MOST_OF_CLASS * values.length; count++) {
    const rest = values.slice(count);
    const gap = values[count]! - values[count - 1]!;
    if (gap < LEAST_GAP * (quantile(rest, 0.9) - quantile(rest, 0.1)) || gap === 0) continue;
    const [a, b] = [momentsOf(values.slice(0, count)), momentsOf(rest)];
    const separation = (b.mean - a.mean) / Math.sqrt((a.variance + b.variance) / 2);
    if (separation >= LEAST_SEPARATION && separation > (best?.separation ?? 0))
      best = {
        property,
        end,
        members: sorted.slice(0, count),
        bound: (sign * (values[count]! + values[count - 1]!)) / 2,
        separation,
      };
  }
  return best;
}

function rareFinding(
  { property, end, members, bound, separation }: Subgroup,
  own: readonly MeasuredImage[],
  name: string,
  classes: readonly string[],
  world: readonly MeasuredImage[],
  predicted: PredictedLabels | undefined,
): Finding {
  const { key } = property;
  const share = members.length / own.length;
  const known = world.map(({ measures }) => measures[key]).filter((value) => !Number.isNaN(value));
  const inWorld = known.filter((value) => (end === 'low' ? value < bound : value > bound)).length;
  const isCommon = known.length > 0 && inWorld / known.length >= Math.max(0.1, 2 * share);
  const group = new Set(members);
  const [inside, outside] = [members, own.filter((image) => !group.has(image))].map((part) =>
    accuracyOn(part, classes, predicted),
  );
  const isWeak = inside !== undefined && outside !== undefined && inside.interval[1] < outside.interval[0];
  const severity: Severity = isWeak ? 'high' : isCommon ? 'medium' : 'low';
  const more =
    (isCommon ? `; of the world, ${percent(inWorld / known.length)} are so` : '') +
    (isWeak
      ? `; predictions are right on ${percent(inside.value)} of them and ${percent(outside.value)} of the others`
      : '');
  return {
    kind: 'weak-subgroup',
    severity,
    what: `In "${name}", ${members.length} of ${own.length} images are ${property[end]} and lie apart from the others (${property.name})${more}.`,
    advice: `Collect more of this kind, or look whether they belong to the class; accuracy on them counts for little in the whole.`,
    property: key,
    evidence: {
      'share of the class': { value: share, interval: wilsonInterval(members.length, own.length) },
      "Ashman's D": { value: separation },
      ...(known.length > 0 && {
        'share of the world': { value: inWorld / known.length, interval: wilsonInterval(inWorld, known.length) },
      }),
      ...(inside !== undefined && { 'accuracy on them': inside }),
      ...(outside !== undefined && { 'accuracy on the others of the class': outside }),
    },
    classes: [name],
    examples: members.slice(0, EXAMPLES).map(({ sample }) => sample.id),
  };
}

/** Fifths of all images on which predictions are wrong clearly more often. */
function weakTails(
  images: readonly MeasuredImage[],
  classes: readonly string[],
  predicted: PredictedLabels,
): Finding[] {
  const known = images.filter(({ sample }) => predicted.has(sample.id));
  const isRight = ({ sample }: MeasuredImage): boolean => predicted.get(sample.id) === classes[sample.label!];
  const tails = PROPERTIES.flatMap((property) =>
    (['low', 'high'] as const).flatMap((end) => {
      const measured = known.filter(({ measures }) => !Number.isNaN(measures[property.key]));
      if (measured.length < 5 * FEWEST_OF_CLASS) return [];
      const bound = quantile(
        ascending(measured.map(({ measures }) => measures[property.key])),
        end === 'low' ? TAIL : 1 - TAIL,
      );
      const isIn = ({ measures }: MeasuredImage): boolean =>
        end === 'low' ? measures[property.key] < bound : measures[property.key] > bound;
      const [part, rest] = [measured.filter(isIn), measured.filter((image) => !isIn(image))];
      if (part.length < FEWEST_OF_CLASS) return [];
      const [inside, outside] = [part, rest].map((list) => ({ right: list.filter(isRight).length, n: list.length }));
      return [{ property, end, part, inside: inside!, outside: outside!, p: worseBy(inside!, outside!) }];
    }),
  );
  const ps = holm(tails.map(({ p }) => p));
  return tails.flatMap(({ property, end, part, inside, outside }, i): Finding[] => {
    const [value, other] = [inside.right / inside.n, outside.right / outside.n];
    if (ps[i]! > LEVEL || other - value < LEAST_LOSS) return [];
    return [
      {
        kind: 'weak-subgroup',
        severity: other - value >= 0.25 ? 'high' : 'medium',
        what: `Predictions are right on ${percent(value)} of the fifth of images that are ${property[end]} (${property.name}) and on ${percent(other)} of the others.`,
        advice: 'Collect or augment towards this kind, and give its accuracy beside the whole.',
        property: property.key,
        evidence: {
          'accuracy on them': { value, interval: wilsonInterval(inside.right, inside.n) },
          'accuracy on the others': { value: other, interval: wilsonInterval(outside.right, outside.n) },
        },
        p: ps[i]!,
        classes: [],
        examples: part
          .filter((image) => !isRight(image))
          .slice(0, EXAMPLES)
          .map(({ sample }) => sample.id),
      },
    ];
  });
}

interface Share {
  readonly right: number;
  readonly n: number;
}

/** One-sided p-value that `part` is not worse than `rest`: pooled z-test of two shares. */
function worseBy(part: Share, rest: Share): number {
  const pooled = (part.right + rest.right) / (part.n + rest.n);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / part.n + 1 / rest.n));
  return deviation === 0 ? 1 : normalTail((rest.right / rest.n - part.right / part.n) / deviation);
}

/** P(N(0, 1) > z), to 7.5e-8 (Abramowitz and Stegun 26.2.17). */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

function accuracyOn(
  images: readonly MeasuredImage[],
  classes: readonly string[],
  predicted: PredictedLabels | undefined,
): { readonly value: number; readonly interval: [number, number] } | undefined {
  const known = images.filter(({ sample }) => predicted?.has(sample.id) === true);
  if (known.length === 0) return undefined;
  const right = known.filter(({ sample }) => predicted!.get(sample.id) === classes[sample.label!]).length;
  return { value: right / known.length, interval: wilsonInterval(right, known.length) };
}

function momentsOf(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
