import type { Annotation } from './join-annotators.ts';

/** What a data folder or manifest was understood to hold. */

export type Split = 'train' | 'val' | 'test' | 'unlabeled';
export const SPLITS: readonly Split[] = ['train', 'val', 'test', 'unlabeled'];

export interface Sample {
  /** Path relative to the dataset's root with `/` between parts, of an image inside a file with its row behind it: unique, and the same on every system. */
  readonly id: string;
  /** Absolute path; of an image inside a file, where it was extracted to. */
  readonly file: string;
  /** Index into `Dataset.classes`; absent exactly where `split` is `unlabeled`. */
  readonly label?: number;
  readonly split: Split;
  /** In pixels as stored: EXIF orientation is not applied. */
  readonly width: number;
  readonly height: number;
  /** Of the file. */
  readonly bytes: number;
  /**
   * SHA-256 of the content; of a file over 256 KB, of its size, its first 192 KB and its last 64 KB. Two
   * files with one key are taken for the same file.
   */
  readonly contentKey: string;
  /** By class, what several annotators say together, 0..1: a soft label, of which `label` is the likeliest. */
  readonly chances?: Readonly<Record<string, number>>;
  /** Name of the group it belongs to, which is never split; absent where it stands for itself. */
  readonly group?: string;
}

/** A file meant as an image that is left out. */
export interface Quarantined {
  /** As `Sample.id`. */
  readonly file: string;
  readonly reason: string;
}

/** The same image under two labels: all of its copies are left out until a person resolves it. */
export interface Conflict {
  readonly files: readonly string[];
  /** The class of each of `files`. */
  readonly labels: readonly string[];
}

export type Layout = 'folders' | 'splits' | 'manifest' | 'parquet';

export interface Dataset {
  /** Absolute: the folder that ids are relative to. */
  readonly root: string;
  readonly layout: Layout;
  /** Sorted by code unit, so that the order is the same on every system. Every class holds an image in some split. */
  readonly classes: readonly string[];
  /** Sorted by id. */
  readonly samples: readonly Sample[];
  readonly quarantined: readonly Quarantined[];
  readonly conflicts: readonly Conflict[];
  /** Hidden or system folders and files that were passed over, relative to the root. */
  readonly ignored: readonly string[];
  readonly warnings: readonly string[];
  /** Where several annotators were joined. */
  readonly annotation?: Annotation;
  /** Whether only some labels may be used (`labelsList`, `labelsPerClass`): then `val` may not be looked at either. */
  readonly limitedLabels: boolean;
  /** SHA-256 over classes and every sample's id, split, label, content and group: differs where the data does. */
  readonly fingerprint: string;
}

/** Order by UTF-16 code unit, independent of locale and of the system. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A name as it can be shown on one line: control characters (a newline in a file's name) are escaped. */
export function shownName(name: string): string {
  // oxlint-disable-next-line no-control-regex
  return name.replaceAll(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, (character) =>
    character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `3 images`, `1 image`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : plural}`;
}

/** The first few of `names`, and how many more there are. */
export function shownList(names: readonly string[], limit = 3): string {
  const shown = names.slice(0, limit).map(shownName).join(', ');
  return names.length > limit ? `${shown} and ${(names.length - limit).toLocaleString('en-US')} more` : shown;
}

/** Number of samples of each class in a split, in the order of `dataset.classes`. */
export function countPerClass(dataset: Pick<Dataset, 'classes' | 'samples'>, split: Split): number[] {
  const counts = dataset.classes.map(() => 0);
  for (const sample of dataset.samples)
    if (sample.split === split && sample.label !== undefined) counts[sample.label] = counts[sample.label]! + 1;
  return counts;
}

/** Number of samples in a split. */
export function countInSplit(dataset: Pick<Dataset, 'samples'>, split: Split): number {
  return dataset.samples.reduce((count, sample) => count + (sample.split === split ? 1 : 0), 0);
}

/** [K] probabilities of the classes as annotators see them; undefined where the label is one class. */
export function softLabel({ chances }: Sample, classes: readonly string[]): Float32Array | undefined {
  if (chances === undefined) return undefined;
  const row = Float32Array.from(classes, (name) => chances[name] ?? 0);
  const sum = row.reduce((total, p) => total + p, 0);
  return row.map((p) => p / sum);
}
