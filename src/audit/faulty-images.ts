import type { Duplicates } from '../datasets/duplicates.ts';
import { counted, type Conflict } from '../datasets/dataset.ts';
import { wilsonInterval } from '../evaluate/interval.ts';
import type { Finding, Severity } from './finding.ts';
import type { MeasuredImage } from './measure-images.ts';

/** Shorter side, in pixels, below which most subjects can't be told; by far the smallest input of a network. */
const SMALL_SIDE = 32;
/** A small image is one far below the others: with digits of 28 pixels, all are. */
const SMALL_SHARE = 0.5;
const EXAMPLES = 6;

/** Images that show nothing. */
export function blankFindings(images: readonly MeasuredImage[], classes: readonly string[]): Finding[] {
  const blank = images.filter(({ isBlank }) => isBlank);
  if (blank.length === 0) return [];
  return [
    {
      kind: 'blank-images',
      severity: shareSeverity(blank.length, images.length),
      what: `${counted(blank.length, 'image is', 'images are')} blank: one tone all over.`,
      advice: 'Remove them: each teaches its class what nothing looks like.',
      evidence: shareOf(blank.length, images.length),
      classes: classesOf(blank, classes),
      examples: blank.slice(0, EXAMPLES).map(({ sample }) => sample.id),
    },
  ];
}

/** Images under 32 pixels, and under half of the median side. */
export function smallFindings(images: readonly MeasuredImage[], classes: readonly string[]): Finding[] {
  const sides = images.map(({ sample }) => Math.min(sample.width, sample.height));
  const median = sides.toSorted((a, b) => a - b)[Math.floor(sides.length / 2)] ?? 0;
  const small = images
    .filter((_, i) => sides[i]! < SMALL_SIDE && sides[i]! < SMALL_SHARE * median)
    .toSorted((a, b) => a.measures.side - b.measures.side);
  if (small.length === 0) return [];
  return [
    {
      kind: 'small-images',
      severity: shareSeverity(small.length, images.length),
      what: `${counted(small.length, 'image has', 'images have')} a side under ${SMALL_SIDE} pixels, where half of the images have ${median} or more.`,
      advice: 'Look whether their subject can be told; if not, remove them (thumbnails and icons often slip in).',
      evidence: shareOf(small.length, images.length),
      classes: classesOf(small, classes),
      examples: small.slice(0, EXAMPLES).map(({ sample }) => sample.id),
    },
  ];
}

/**
 * Copies within the audited images, and those under several classes, which were left out of them.
 * @param conflicts as the data set has them
 */
export function duplicateFindings(
  images: readonly MeasuredImage[],
  duplicates: Duplicates,
  conflicts: readonly Conflict[],
  classes: readonly string[],
): Finding[] {
  const byId = new Map(images.map((image) => [image.sample.id, image]));
  const groups = duplicates.copies
    .map((ids) => ids.flatMap((id) => byId.get(id) ?? []))
    .filter((group) => group.length > 1)
    .toSorted((a, b) => b.length - a.length);
  const extra = [...groups, ...conflicts.map(({ files }) => files)].reduce((sum, group) => sum + group.length - 1, 0);
  if (extra === 0) return [];
  const all = images.length + conflicts.reduce((sum, { files }) => sum + files.length, 0);
  const ids = new Set(groups.flat().map(({ sample }) => sample.id));
  const mirrored = duplicates.pairs.filter(({ files, mirrored }) => mirrored && files.every((id) => ids.has(id)));
  const isMixed = conflicts.length > 0;
  return [
    {
      kind: 'near-duplicates',
      severity: isMixed ? 'high' : shareSeverity(extra, all),
      what:
        `${counted(extra, 'image')} of ${all} ${extra === 1 ? 'is a copy or near copy' : 'are copies or near copies'} of another` +
        `${isMixed ? `; ${counted(conflicts.length, 'picture stands', 'pictures stand')} under several classes` : ''}.`,
      advice: isMixed
        ? 'Decide the class of those that stand under several (they are left out until then); keep one of each group.'
        : 'Keep one of each group, or see that copies stay on one side of every split.',
      evidence: {
        ...shareOf(extra, all),
        groups: { value: groups.length + conflicts.length },
        'groups under several classes': { value: conflicts.length },
        'mirrored pairs': { value: mirrored.length },
      },
      classes: [...new Set([...conflicts.flatMap(({ labels }) => labels), ...classesOf(groups.flat(), classes)])],
      examples: [
        ...conflicts.slice(0, 3).flatMap(({ files }) => files.slice(0, 2)),
        ...groups.slice(0, 3).flatMap((group) => group.slice(0, 2).map(({ sample }) => sample.id)),
      ].slice(0, EXAMPLES),
    },
  ];
}

function shareOf(count: number, all: number): Finding['evidence'] {
  return { images: { value: count }, share: { value: count / all, interval: wilsonInterval(count, all) } };
}

function shareSeverity(count: number, all: number): Severity {
  const share = count / all;
  return share >= 0.1 ? 'high' : share >= 0.01 ? 'medium' : 'low';
}

/** Names of the classes that images are of, the most frequent first. */
function classesOf(images: readonly MeasuredImage[], classes: readonly string[]): string[] {
  const counts = classes.map((_, label) => images.filter(({ sample }) => sample.label === label).length);
  return [...classes.keys()]
    .filter((label) => counts[label]! > 0)
    .toSorted((a, b) => counts[b]! - counts[a]!)
    .map((label) => classes[label]!);
}
