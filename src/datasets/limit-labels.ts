import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError, suggestion } from '../core/errors.ts';
import { randomStream, shuffled } from '../core/random.ts';
import { counted, shownName, type Dataset, type Sample } from './dataset.ts';

export interface LabelLimit {
  /** File that names the images that keep their label, one path a line, relative to the data or to its train folder. */
  readonly labelsList?: string;
  /** So many of each class keep their label, drawn by `seed`. */
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
    const { label: _, ...rest } = sample;
    return { ...rest, split: 'unlabeled' };
  });
  return { samples, warnings, limited: true };
}

function drawn({ classes, samples }: Labelled, perClass: number, seed: number, warnings: string[]): Set<string> {
  if (!Number.isSafeInteger(perClass) || perClass < 1)
    throw new InputError(`Labels per class: expected a whole number of at least 1, got ${perClass}.`);
  const kept = new Set<string>();
  for (const [label, name] of classes.entries()) {
    const ids = samples.filter((sample) => sample.split === 'train' && sample.label === label).map(({ id }) => id);
    if (ids.length < perClass)
      warnings.push(
        `class "${shownName(name)}" has only ${counted(ids.length, 'image')}, fewer than the ${perClass} labels asked for`,
      );
    for (const id of shuffled(ids, randomStream(seed, 'labels-per-class', name)).slice(0, perClass)) kept.add(id);
  }
  return kept;
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
