import { randomStream, shuffled } from '../core/random.ts';
import { crossValidate, type CrossValidation, type Fit } from './cross-validate.ts';
import { fitDiscriminant } from './discriminant.ts';
import type { Estimate, Finding, FindingKind, Severity } from './finding.ts';
import { THUMBNAIL_SIDE, type MeasuredImage } from './measure-images.ts';
import { naiveBayes } from './naive-bayes.ts';
import { principalComponents } from './principal-components.ts';
import { drawn } from './statistics.ts';

const FEWEST_OF_CLASS = 10;
const MOST_IMAGES = 2000;
const COMPONENTS = 24;
/** Rows and columns of a thumbnail along its edges that count as background: a quarter of its side in all. */
const BORDER = 1;
/** Skill is accuracy above chance as a share of what is above chance at all. */
const LEAST_SKILL = 0.1;
/** Share of the skill on whole thumbnails, and on their centre, from which the border tells nearly as much. */
const NEARLY_ALL = 0.95;
/** Share of the skill on whole thumbnails from which file properties are worth a word, or what they reach alone. */
const FILE_SHARE = 0.8;
const FILE_SKILL = 0.25;
const LEVEL = 0.01;
const LABELLINGS = 199;
const FORMATS = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'];

/** How well classes are told apart by what should not tell them. Accuracies are means over the classes. */
export interface Shortcuts {
  readonly chance: number;
  readonly images: number;
  /** Size, aspect, JPEG quality, format, whether grey. */
  readonly fileProperties: Required<Estimate>;
  /** Small thumbnails: all of it, only its border, only what is inside. */
  readonly whole: Required<Estimate>;
  readonly border: Required<Estimate>;
  readonly centre: Required<Estimate>;
}

/**
 * Tries simple classifiers, cross-validated, on what should not tell classes apart.
 * @param groups of copies, by id: they stay in one fold
 * @returns nothing where fewer than two classes have ten images
 */
export function findShortcuts(
  images: readonly MeasuredImage[],
  classes: readonly string[],
  groups: readonly (readonly string[])[],
  seed: number,
): { readonly shortcuts?: Shortcuts; readonly findings: Finding[] } {
  const counts = classes.map((_, label) => images.filter(({ sample }) => sample.label === label).length);
  const used = classes.flatMap((_, label) => (counts[label]! >= FEWEST_OF_CLASS ? [label] : []));
  if (used.length < 2) return { findings: [] };
  const chosen = drawn(
    images.filter(({ sample }) => used.includes(sample.label!)),
    MOST_IMAGES,
    randomStream(seed, 'audit', 'shortcuts'),
  );
  const labels = chosen.map(({ sample }) => used.indexOf(sample.label!));
  const groupOf = new Map(groups.flatMap((ids, group) => ids.map((id) => [id, group] as const)));
  const copies = chosen.map(({ sample }, i) => groupOf.get(sample.id) ?? groups.length + i);
  const tryOn = <Row>(rows: readonly Row[], fit: Fit<Row>): Trial => {
    const validate = (own: readonly number[]): CrossValidation =>
      crossValidate(rows, own, used.length, copies, fit, seed);
    const found = validate(labels);
    return { ...found, p: () => chanceOf(found.accuracy.value, labels, validate, seed) };
  };
  const byPixels = (isPart: (x: number, y: number) => boolean): Trial => {
    const rows = chosen.map(({ thumbnail }) => partOf(thumbnail, isPart));
    const projection = principalComponents(rows, Math.min(COMPONENTS, Math.floor(rows.length / 4)));
    return tryOn(
      rows.map((row) => projection.apply(row)),
      (some, own) => fitDiscriminant(some, own, used.length).predict,
    );
  };
  const file = tryOn(chosen.map(filePropertiesOf), naiveBayes(used.length));
  const isBorder = (x: number, y: number): boolean =>
    Math.min(x, y, THUMBNAIL_SIDE - 1 - x, THUMBNAIL_SIDE - 1 - y) < BORDER;
  const [whole, border, centre] = [byPixels(() => true), byPixels(isBorder), byPixels((x, y) => !isBorder(x, y))];
  const shortcuts: Shortcuts = {
    chance: 1 / used.length,
    images: chosen.length,
    fileProperties: file.accuracy,
    whole: whole.accuracy,
    border: border.accuracy,
    centre: centre.accuracy,
  };
  const skills = {
    whole: skillOf(whole.accuracy.value, used.length),
    centre: skillOf(centre.accuracy.value, used.length),
  };
  const telling = (found: Trial, kind: FindingKind, what: string, advice: string): Finding[] => {
    const skill = skillOf(found.accuracy.value, used.length);
    const isNear =
      kind === 'classes-by-background'
        ? skill >= NEARLY_ALL * Math.max(skills.whole, skills.centre)
        : skill >= Math.min(FILE_SKILL, FILE_SHARE * skills.whole);
    if (found.accuracy.interval[0] <= 1 / used.length || skill < LEAST_SKILL || !isNear) return [];
    // Two parts are tried.
    const p = Math.min(1, 2 * found.p());
    if (p > LEVEL) return [];
    const right = recalls(labels, found.predicted, used.length);
    const order = right.map((_, c) => c).toSorted((a, b) => right[b]! - right[a]!);
    const best = order.filter((c) => right[c]! >= 2 / used.length);
    return [
      {
        kind,
        severity: severityOf(skill),
        what: `${what}: ${percent(found.accuracy.value)} right where chance gives ${percent(1 / used.length)} and small thumbnails of the whole image ${percent(whole.accuracy.value)}.`,
        advice,
        evidence: {
          accuracy: found.accuracy,
          chance: { value: 1 / used.length },
          'accuracy on whole thumbnails': whole.accuracy,
          'accuracy on the centre of thumbnails': centre.accuracy,
        },
        p,
        classes: best.map((c) => classes[used[c]!]!),
        examples: order
          .slice(0, 3)
          .flatMap((c) => chosen.filter((_, i) => labels[i] === c && found.predicted[i] === c).slice(0, 2))
          .map(({ sample }) => sample.id),
      },
    ];
  };
  const findings = [
    ...telling(
      file,
      'classes-by-file-properties',
      'Classes are told apart without looking at a pixel, by size, aspect, format and JPEG quality',
      'Encode and shrink all classes alike, and find out where their files came from: a model may learn the source instead of the subject.',
    ),
    ...telling(
      border,
      'classes-by-background',
      'Classes are told apart nearly as well by the border of the image as by all of it',
      'Collect each class before the backgrounds of the others, or crop to the subject; random crops and erasing do not help where the background goes with the class.',
    ),
  ];
  return { shortcuts, findings };
}

interface Trial extends CrossValidation {
  /** Share of random labellings that are told apart as well. */
  readonly p: () => number;
}

function chanceOf(
  accuracy: number,
  labels: readonly number[],
  validate: (labels: readonly number[]) => CrossValidation,
  seed: number,
): number {
  const stream = randomStream(seed, 'audit', 'random labels');
  let exceeded = 0;
  for (let i = 0; i < LABELLINGS; i++) if (validate(shuffled(labels, stream)).accuracy.value >= accuracy) exceeded++;
  return (exceeded + 1) / (LABELLINGS + 1);
}

function filePropertiesOf({ measures, format, isGrey }: MeasuredImage): number[] {
  const { side, aspect, jpegQuality } = measures;
  return [side, side + Math.abs(aspect), aspect, jpegQuality, FORMATS.indexOf(format), isGrey ? 1 : 0];
}

/** RGB of the chosen pixels of a thumbnail. */
function partOf(thumbnail: Uint8Array, isPart: (x: number, y: number) => boolean): number[] {
  const row: number[] = [];
  for (let y = 0, at = 0; y < THUMBNAIL_SIDE; y++)
    for (let x = 0; x < THUMBNAIL_SIDE; x++, at += 3)
      if (isPart(x, y)) row.push(thumbnail[at]!, thumbnail[at + 1]!, thumbnail[at + 2]!);
  return row;
}

function recalls(labels: readonly number[], predicted: readonly number[], classes: number): number[] {
  return Array.from({ length: classes }, (_, c) => {
    const own = [...labels.keys()].filter((i) => labels[i] === c);
    return own.filter((i) => predicted[i] === c).length / own.length;
  });
}

function skillOf(accuracy: number, classes: number): number {
  return (accuracy - 1 / classes) / (1 - 1 / classes);
}

function severityOf(skill: number): Severity {
  return skill >= 0.5 ? 'high' : skill >= 0.25 ? 'medium' : 'low';
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
