import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { InputError } from '../core/errors.ts';
import { addLabels } from './add-labels.ts';
import { compareText, counted, shownList, shownName, type Conflict, type Dataset, type Sample } from './dataset.ts';
import { inGroups } from './groups.ts';
import { limitLabels, type LabelLimit } from './limit-labels.ts';
import { readFolder, type Candidates, type FolderLayout } from './read-folder.ts';
import { isManifestName, readManifest } from './read-manifest.ts';
import { isParquetName, parquetShards, readParquet } from './read-parquet.ts';
import { readSamples, type ReadSamplesOptions } from './read-samples.ts';
import { walk } from './walk.ts';

export interface ReadDatasetOptions extends Omit<ReadSamplesOptions, 'allMeant'>, LabelLimit {
  /** Of a folder; a manifest has none. */
  readonly layout?: FolderLayout;
  /** Links are not followed unless asked: they may lead out of the data, or in circles. */
  readonly followLinks?: boolean;
  /**
   * What ties images together (a patient, a product) so that they are never split: a column of the manifest, else a
   * regular expression on the relative path, whose first capture group names the group.
   */
  readonly group?: string;
  /** Files with labels of images that have none (`addLabels`). */
  readonly labelFiles?: readonly string[];
  /** Whether data without any label will do: it then has no classes. Default false. */
  readonly labelsOptional?: boolean;
}

/**
 * Reads a folder of classes, ready-made splits, a manifest (CSV, TSV, JSON lines, COCO, Label Studio), or Parquet. A file that is no
 * image is quarantined with its reason; the rest goes on.
 * @throws InputError where there is no such data, where it holds no classes (unless they are optional) or no image, or where a
 *   manifest or the list of labels has bad lines (all are listed). AbortedError by `signal`.
 * @example
 * const dataset = await readDataset('photos');
 * console.log(describeDataset(dataset));
 */
export async function readDataset(path: string, options: ReadDatasetOptions = {}): Promise<Dataset> {
  const info = await stat(path).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(
      `Can't read the data ${path}: ${code === 'ENOENT' ? 'there is no such folder or file' : message}.`,
      {
        cause: error,
      },
    );
  });
  const place = resolve(path);
  if (!info.isDirectory() && !isManifestName(path) && !isParquetName(path))
    throw new InputError(`The data ${path} is neither a folder nor a manifest (.csv, .tsv, .jsonl, .json, .parquet).`);
  const found = inGroups(
    info.isDirectory() ? await readPlace(place, options) : await readFile(place, options),
    options.group,
  );
  const read = await readSamples(found.candidates, found.classNames, {
    ...options,
    allMeant: found.layout === 'manifest' || found.layout === 'parquet',
  });
  const warnings = [...found.warnings, ...read.warnings];
  if (read.others.length > 0)
    warnings.push(`passed over ${counted(read.others.length, 'file')} that are no images: ${shownList(read.others)}`);
  const quarantined = [...found.quarantined, ...read.quarantined].toSorted((a, b) => compareText(a.file, b.file));
  const { classes, samples } = withoutEmptyClasses(found.classNames, read.samples, warnings);
  if (classes.length === 0 && !(options.labelsOptional === true && samples.length > 0))
    throw new InputError(
      `${path} holds no ${options.labelsOptional === true ? '' : 'labelled '}image that can be read (${counted(quarantined.length, 'file')} quarantined` +
        `${quarantined[0] === undefined ? '' : `, the first: ${shownName(quarantined[0].file)}: ${quarantined[0].reason}`}).`,
    );
  const root = info.isDirectory() ? place : dirname(place);
  const limited = await limitLabels({ root, classes, samples, quarantined }, options);
  const labelled = await addLabels({ classes, samples: limited.samples, quarantined }, options.labelFiles ?? []);
  const { kept, conflicts } = withoutConflicts(labelled, classes);
  return {
    root,
    layout: found.layout,
    classes,
    samples: kept,
    quarantined,
    conflicts,
    ignored: [...found.ignored, ...read.others].toSorted(compareText),
    warnings: [...warnings, ...limited.warnings],
    limitedLabels: limited.limited,
    ...(found.annotation !== undefined && { annotation: found.annotation }),
    fingerprint: fingerprintOf(classes, kept),
  };
}

function readFile(path: string, options: ReadDatasetOptions): Promise<Candidates> {
  return isParquetName(path) ? readParquet([{ id: basename(path), file: path }], options) : readManifest(path, options);
}

/** A folder of images, or, where it holds none, of Parquet files. */
async function readPlace(path: string, options: ReadDatasetOptions): Promise<Candidates> {
  const tree = await walk(path, options);
  const shards = parquetShards(tree, path);
  return shards.length > 0 ? readParquet(shards, options) : readFolder(path, options, tree);
}

/** SHA-256 over the classes and every sample's id, split, label, content and group. */
export function fingerprintOf(classes: readonly string[], samples: readonly Sample[]): string {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  for (const { id, split, label, contentKey, group, chances } of samples)
    hash.update(JSON.stringify([id, split, label ?? null, contentKey, ...(group === undefined ? [] : [group]), ...(chances === undefined ? [] : [chances])])); // prettier-ignore
  return hash.digest('hex');
}

function withoutEmptyClasses(
  names: readonly string[],
  samples: readonly Sample[],
  warnings: string[],
): { classes: readonly string[]; samples: readonly Sample[] } {
  const used = new Set(samples.map(({ label }) => label));
  const empty = names.filter((_, index) => !used.has(index));
  if (empty.length === 0) return { classes: names, samples };
  warnings.push(`${counted(empty.length, 'class', 'classes')} without an image left out: ${shownList(empty)}`);
  const classes = names.filter((_, index) => used.has(index));
  const moved = new Map(classes.map((name, index) => [names.indexOf(name), index]));
  return {
    classes,
    samples: samples.map((sample) =>
      sample.label === undefined ? sample : { ...sample, label: moved.get(sample.label)! },
    ),
  };
}

/** Files with one content and several labels: those of train are left out, val and test stay as they are. */
function withoutConflicts(
  samples: readonly Sample[],
  classes: readonly string[],
): { kept: readonly Sample[]; conflicts: readonly Conflict[] } {
  const byContent = new Map<string, Sample[]>();
  for (const sample of samples) {
    if (sample.label === undefined) continue;
    const same = byContent.get(sample.contentKey);
    if (same === undefined) byContent.set(sample.contentKey, [sample]);
    else same.push(sample);
  }
  const groups = [...byContent.values()].filter((group) => group.some(({ label }) => label !== group[0]!.label));
  const dropped = new Set(groups.flat().filter(({ split }) => split === 'train'));
  return {
    kept: dropped.size === 0 ? samples : samples.filter((sample) => !dropped.has(sample)),
    conflicts: groups.map((group) => ({
      files: group.map(({ id }) => id),
      labels: group.map(({ label }) => classes[label!]!),
    })),
  };
}
