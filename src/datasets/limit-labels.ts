import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError, suggestion } from '../core/errors.ts';
import { randomStream, shuffled } from '../core/random.ts';
import { counted, shownName, type Dataset, type Sample } from './dataset.ts';
import { membersOf } from './groups.ts';

export interface LabelLimit {
  /** File that names the images that keep their label, one path a line, relative to the data or to its train folder. */
  readonly labelsList?: string;
  /**
   * So many of each class keep their label, drawn by `seed`. A group is drawn as a whole where it has not too many, so that there may be
   * fewer; where each has too many, the smallest.
   */
  readonly labelsPerClass?: number;
  readonly seed?: number;
}

/** Listed in a message at most. */
const SHOWN = 50;

type Labelled = Pick<Dataset, 'root' | 'classes' | 'samples' | 'quarantined'>;

/**
 * Hides the labels of all train images but the chosen ones: the rest becomes unlabelled.
 * @throws InputError that lists every line of the list that names no labelled train image.
 */
export async function limitLabels(
  dataset: Labelled,
  limit: LabelLimit,
): Promise<{ samples: readonly Sample[]; warnings: readonly string[]; limited: boolean }> {
  const { labelsList, labelsPerClass } = limit;
  if (labelsList !== undefined && labelsPerClass !== undefined)
    throw new InputError('Give either a list of labelled images or a number per class, not both.');
  if (labelsList === undefined && labelsPerClass === undefined)
    return { samples: dataset.samples, warnings: [], limited: false };
  const warnings: string[] = [];
  const kept =
    labelsList === undefined
      ? drawn(dataset, labelsPerClass!, limit.seed ?? 0, warnings)
      : await listed(dataset, labelsList, warnings);
  const samples = dataset.samples.map((sample): Sample => {
    if (sample.split !== 'train' || kept.has(sample.id)) return sample;
    const { label: _, chances: _c, ...rest } = sample;
    return { ...rest, split: 'unlabeled' };
  });
  return { samples, warnings, limited: true };
}

function drawn({ classes, samples }: Labelled, perClass: number, seed: number, warnings: string[]): Set<string> {
  if (!Number.isSafeInteger(perClass) || perClass < 1)
    throw new InputError(`Labels per class: expected a whole number of at least 1, got ${perClass}.`);
  const train = samples.filter(({ split }) => split === 'train');
  const groups = membersOf(train);
  const unitOf = (sample: Sample): readonly Sample[] =>
    sample.group === undefined ? [sample] : groups.get(sample.group)!;
  const kept = new Set<string>();
  const counts = classes.map(() => 0);
  const keep = (unit: readonly Sample[]): void => {
    for (const { id, label } of unit) {
      kept.add(id);
      counts[label!]!++;
    }
  };
  for (const [label, name] of classes.entries()) {
    const ofClass = train.filter((sample) => sample.label === label);
    const order = shuffled(ofClass, randomStream(seed, 'labels-per-class', name));
    for (const sample of order) {
      if (counts[label]! >= perClass) break;
      const unit = unitOf(sample);
      if (!kept.has(sample.id) && unit.every((member) => counts[member.label!]! + ofLabel(unit, member) <= perClass))
        keep(unit);
    }
    // Every group has more than is asked for: the smallest is the least too many.
    if (counts[label] === 0 && order.length > 0)
      keep(order.map(unitOf).reduce((a, b) => (b.length < a.length ? b : a)));
  }
  for (const [label, name] of classes.entries()) {
    const total = train.filter((sample) => sample.label === label).length;
    if (total < perClass)
      warnings.push(
        `class "${shownName(name)}" has only ${counted(total, 'image')}, fewer than the ${perClass} labels asked for`,
      );
    else if (counts[label] !== perClass)
      warnings.push(
        `class "${shownName(name)}" keeps ${counted(counts[label]!, 'label')} and not ${perClass}: groups are drawn as a whole`,
      );
  }
  return kept;
}

/** How many of a group have the label of one of them. */
function ofLabel(unit: readonly Sample[], { label }: Sample): number {
  return unit.filter((sample) => sample.label === label).length;
}

async function listed(dataset: Labelled, path: string, warnings: string[]): Promise<Set<string>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new InputError(`Can't read the list of labelled images ${path}: ${(error as Error).message}.`, {
      cause: error,
    });
  });
  const known = new Map(dataset.samples.map((sample) => [sample.id, sample]));
  const left = new Map(dataset.quarantined.map(({ file, reason }) => [file, reason]));
  const kept = new Set<string>();
  const problems: string[] = [];
  for (const [at, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim() === '' ? '' : raw.replaceAll('\\', '/').replace(/^\.\//, '');
    if (line === '') continue;
    const ids = [line, `train/${line}`, ...withoutFolderName(line, dataset.root)];
    const sample = ids.map((id) => known.get(id)).find((found) => found !== undefined);
    const unusable = ids.find((id) => left.has(id));
    if (sample?.split === 'train') kept.add(sample.id);
    else if (sample !== undefined)
      problems.push(
        `line ${at + 1}: ${shownName(line)} is ${sample.split === 'unlabeled' ? 'unlabelled' : `in ${sample.split}`}, not a labelled image of train`,
      );
    else if (unusable !== undefined)
      warnings.push(`${shownName(line)} of the list is quarantined: ${left.get(unusable)}`);
    else
      problems.push(
        `line ${at + 1}: ${shownName(line)} is not in the data${nearest(line, problems.length, known.keys())}`,
      );
  }
  if (problems.length > 0)
    throw new InputError(
      `${path} has ${counted(problems.length, 'line')} that name no labelled image of ${dataset.root}:\n  ` +
        problems.slice(0, SHOWN).join('\n  ') +
        (problems.length > SHOWN ? `\n  and ${problems.length - SHOWN} more` : ''),
    );
  if (kept.size === 0) throw new InputError(`${path} names no image.`);
  return kept;
}

/** Lists are also written relative to the folder above the data: `images/cat/1.jpg` for the data `images`. */
function withoutFolderName(line: string, root: string): string[] {
  const prefix = `${basename(root)}/`;
  return line.startsWith(prefix) ? [line.slice(prefix.length)] : [];
}

/** Looked for only a few times: it compares with every name. */
function nearest(line: string, before: number, names: Iterable<string>): string {
  return before < 3 ? suggestion(line, names) : '';
}
