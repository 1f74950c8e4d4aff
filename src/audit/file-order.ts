import { randomStream, shuffled } from '../core/random.ts';
import type { Finding } from './finding.ts';
import type { MeasuredImage } from './measure-images.ts';
import { propertyOf, type PropertyKey } from './properties.ts';
import { holm, spearman } from './statistics.ts';

const FEWEST = 30;
const FEWEST_OF_CLASS = 5;
const SHUFFLES = 999;
const LEVEL = 0.01;
/** Spearman's correlation with the order from which a drift matters. */
const LEAST_DRIFT = 0.3;
/** Squared distance of neighbours over that of any two of a class, below which neighbours look alike. */
const MOST_DISTANCE = 0.75;
/** How far neighbours are of one class beyond what chance gives, as a share of what is beyond it. */
const LEAST_CLASS_ORDER = 0.5;
const DRIFTING: readonly PropertyKey[] = ['brightness', 'contrast', 'saturation', 'warmth', 'sharpness', 'subjectSize'];

/**
 * Whether the order of names tells something: images that change along it, neighbours that look alike (frames of one
 * recording), classes in blocks. Any split by that order, and any split of neighbours over both sides, is then biased.
 */
export function orderFindings(images: readonly MeasuredImage[], classes: readonly string[], seed: number): Finding[] {
  const labelled = images.filter(({ sample, isBlank }) => sample.label !== undefined && !isBlank);
  if (labelled.length < FEWEST) return [];
  const ordered = labelled.toSorted((a, b) => natural.compare(a.sample.id, b.sample.id));
  const ofClass = classes
    .map((_, label) => ordered.filter(({ sample }) => sample.label === label))
    .filter((own) => own.length >= FEWEST_OF_CLASS);
  if (ofClass.length === 0) return [];
  return [...drifts(ofClass, seed), ...alikeNeighbours(ofClass, seed), ...classBlocks(labelled, classes, seed)];
}

/** 2 before 10, upper and lower case apart; the same on every system. */
const natural = new Intl.Collator('en', { numeric: true });

function drifts(ofClass: readonly (readonly MeasuredImage[])[], seed: number): Finding[] {
  const found = DRIFTING.map((key) => {
    const stream = randomStream(seed, 'audit', 'drift', key);
    const columns = ofClass.map((own) =>
      own.map(({ measures }) => measures[key]).filter((value) => !Number.isNaN(value)),
    );
    const count = columns.reduce((sum, own) => sum + own.length, 0);
    // Each class has an order of its own; the mean counts classes by their images.
    const correlation = (lists: readonly (readonly number[])[]): number =>
      lists.reduce((sum, own) => sum + (own.length < 3 ? 0 : spearman(own, [...own.keys()]) * own.length), 0) / count;
    const value = correlation(columns);
    if (Math.abs(value) < LEAST_DRIFT) return { key, value, p: 1 };
    let exceeded = 0;
    for (let i = 0; i < SHUFFLES; i++)
      if (Math.abs(correlation(columns.map((own) => shuffled(own, stream)))) >= Math.abs(value)) exceeded++;
    return { key, value, p: (exceeded + 1) / (SHUFFLES + 1) };
  });
  const ps = holm(found.map(({ p }) => p));
  return found.flatMap(({ key, value }, i): Finding[] => {
    if (Math.abs(value) < LEAST_DRIFT || ps[i]! > LEVEL) return [];
    const property = propertyOf(key);
    const largest = ofClass.toSorted((a, b) => b.length - a.length)[0]!;
    return [
      {
        kind: 'ordered-files',
        severity: 'medium',
        what: `Within the classes, later files are ${value > 0 ? property.high : property.low}: ${property.name} follows the order of the names (rank correlation ${value.toFixed(2)}).`,
        advice:
          'Never split by order: shuffle, or hold out whole stretches of it and see whether accuracy falls there.',
        property: key,
        evidence: { 'rank correlation with the order': { value } },
        p: ps[i]!,
        classes: [],
        examples: [...largest.slice(0, 3), ...largest.slice(-3)].map(({ sample }) => sample.id),
      },
    ];
  });
}

function alikeNeighbours(ofClass: readonly (readonly MeasuredImage[])[], seed: number): Finding[] {
  const stream = randomStream(seed, 'audit', 'neighbours');
  const mean = (lists: readonly (readonly MeasuredImage[])[]): number => {
    let [sum, count] = [0, 0];
    for (const own of lists)
      for (let i = 1; i < own.length; i++, count++) sum += squaredDistance(own[i - 1]!.thumbnail, own[i]!.thumbnail);
    return sum / count;
  };
  const observed = mean(ofClass);
  const shuffles = Array.from({ length: 99 }, () => mean(ofClass.map((own) => shuffled(own, stream))));
  const value = observed / (shuffles.reduce((sum, other) => sum + other, 0) / shuffles.length);
  const p = (shuffles.filter((other) => other <= observed).length + 1) / (shuffles.length + 1);
  if (!(value <= MOST_DISTANCE) || p > LEVEL) return [];
  const closest = ofClass
    .flatMap((own) => own.slice(1).map((image, i) => ({ image, before: own[i]! })))
    .toSorted(
      (a, b) =>
        squaredDistance(a.before.thumbnail, a.image.thumbnail) - squaredDistance(b.before.thumbnail, b.image.thumbnail),
    );
  return [
    {
      kind: 'ordered-files',
      severity: value <= 0.4 ? 'high' : 'medium',
      what: `Files next to each other look alike: their squared distance is ${Math.round(100 * value)} % of that of any two of a class, as of frames of one recording.`,
      advice: 'Keep recordings, places or persons together on one side of a split; a random split overstates accuracy.',
      evidence: { 'distance of neighbours against any two': { value } },
      p,
      classes: [],
      examples: closest.slice(0, 3).flatMap(({ before, image }) => [before.sample.id, image.sample.id]),
    },
  ];
}

function classBlocks(images: readonly MeasuredImage[], classes: readonly string[], seed: number): Finding[] {
  const stream = randomStream(seed, 'audit', 'class blocks');
  const name = ({ sample }: MeasuredImage): string => sample.id.slice(sample.id.lastIndexOf('/') + 1);
  // Names that are the same in several folders come in any order.
  const ordered = shuffled(images, stream).toSorted((a, b) => natural.compare(name(a), name(b)));
  const labels = ordered.map(({ sample }) => sample.label!);
  const same = (list: readonly number[]): number =>
    list.reduce((sum, label, i) => sum + (i > 0 && list[i - 1] === label ? 1 : 0), 0) / (list.length - 1);
  const observed = same(labels);
  const shuffles = Array.from({ length: SHUFFLES }, () => same(shuffled(labels, stream)));
  const chance = shuffles.reduce((sum, share) => sum + share, 0) / shuffles.length;
  const value = (observed - chance) / (1 - chance);
  const p = (shuffles.filter((other) => other >= observed).length + 1) / (SHUFFLES + 1);
  if (classes.length < 2 || !(value >= LEAST_CLASS_ORDER) || p > LEVEL) return [];
  return [
    {
      kind: 'ordered-files',
      severity: 'low',
      what: `Sorted by name, the classes come in blocks: ${Math.round(100 * observed)} % of neighbours are of one class where chance gives ${Math.round(100 * chance)} %.`,
      advice: 'Never split by order of names, and keep names out of what a model is given.',
      evidence: { 'neighbours of one class': { value: observed }, chance: { value: chance } },
      p,
      classes: [],
      examples: [],
    },
  ];
}

function squaredDistance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
