import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { parse } from 'csv-parse/sync';
import { writePartsAtomic } from '../core/atomic-file.ts';
import { plainCell } from '../core/csv.ts';
import { FormatError, InputError } from '../core/errors.ts';
import type { Dataset, Sample } from '../datasets/dataset.ts';
import { cocoParts } from '../datasets/export/coco.ts';
import { labelStudioParts } from '../datasets/export/label-studio.ts';
import type { ExportedData, LabelledImage, MachineEvidence } from '../datasets/export/labelled-image.ts';
import { parquetParts } from '../datasets/export/parquet.ts';
import { csvLines, jsonLines } from '../datasets/export/rows.ts';
import { readDataset, type ReadDatasetOptions } from '../datasets/read.ts';
import { readConfig, type RunConfig } from '../train/run-folder.ts';
import type { TrainControl } from './train-control.ts';

const WRITERS = {
  csv: csvLines,
  jsonl: jsonLines,
  coco: cocoParts,
  'label-studio': labelStudioParts,
  parquet: parquetParts,
} as const satisfies Record<
  string,
  (data: ExportedData, model: string) => Iterable<string> | AsyncIterable<Uint8Array>
>;

export type DataFormat = keyof typeof WRITERS;
export const DATA_FORMATS = Object.keys(WRITERS) as readonly DataFormat[];

export interface ExportDataOptions extends Omit<ReadDatasetOptions, 'verify'>, TrainControl {
  readonly format: DataFormat;
  /** The file that is written. */
  readonly out: string;
}

export interface DataExport {
  readonly file: string;
  readonly format: DataFormat;
  readonly images: number;
  /** How many have a label. */
  readonly labelled: number;
  /** How many have a machine's label, and of which round. */
  readonly machineLabelled: number;
  readonly round?: string;
  /** Folder that paths in the file are relative to. */
  readonly relativeTo: string;
  /** Folder that images were written to, which had no file of their own. */
  readonly imagesFolder?: string;
}

/**
 * Writes a data set for another tool, and of a run's what it took as data and the labels that a machine made in its last
 * round, with their evidence. What is written is read again by `readDataset`, machine labels excepted: they are no labels.
 * Paths are relative to the file's folder where the images lie below it, else to the data's own folder.
 * @param source a data set, or the folder of a run
 * @throws InputError as `readDataset`, where the file would take the place of the data, and for options of reading with a run
 * @example
 * await exportData('runs/003', { format: 'label-studio', out: 'photos/tasks.json' });
 */
export async function exportData(source: string, options: ExportDataOptions): Promise<DataExport> {
  const { format, out, onProgress, signal, ...reading } = options;
  const control = { ...(onProgress && { onProgress }), ...(signal && { signal }) };
  const isRun = existsSync(join(source, 'config.json')) && existsSync(join(source, 'events.jsonl'));
  if (isRun && Object.values(reading).some((value) => value !== undefined))
    throw new InputError(
      `${source} is a run: how its data is read comes from its config.json, and no option changes it.`,
    );
  const config = isRun ? await readConfig(source) : undefined;
  const { data, ...how } = config === undefined ? { data: source, ...reading } : readingOf(config, source);
  const dataset = await readDataset(data, { ...how, labelsOptional: true, ...control });
  checkPlace(dataset, data, out);
  if (config !== undefined && config.dataFingerprint !== dataset.fingerprint)
    onProgress?.({
      type: 'warning',
      message: `The data changed since the run in ${source}: labels of images that are gone are left out.`,
    });
  const machine = isRun ? await lastRound(source) : undefined;
  const { pathOf, ...places } = await placesOf(dataset, format, out);
  const { classes } = dataset;
  const images = dataset.samples.map((sample): LabelledImage => {
    const evidence = machine?.labels.get(sample.id);
    return {
      path: pathOf(sample),
      file: sample.file,
      split: sample.split,
      width: sample.width,
      height: sample.height,
      ...(sample.label !== undefined && { label: classes[sample.label]! }),
      ...(sample.group !== undefined && { group: sample.group }),
      ...(evidence && { machine: evidence }),
    };
  });
  const named = images.flatMap(({ machine: said }) => (said === undefined ? [] : [String(said['label'])]));
  const written: ExportedData = {
    images,
    classes: [...classes, ...new Set(named.filter((name) => !classes.includes(name)))],
    evidence: machine?.columns ?? [],
    hasGroups: images.some(({ group }) => group !== undefined),
  };
  await writePartsAtomic(resolve(out), WRITERS[format](written, basename(resolve(source))));
  return {
    file: out,
    format,
    images: images.length,
    labelled: images.filter(({ label }) => label !== undefined).length,
    machineLabelled: named.length,
    ...(machine && { round: machine.name }),
    ...places,
  };
}

/** How a run read its data. */
function readingOf(config: RunConfig, run: string): ReadDatasetOptions & { readonly data: string } {
  const { options } = config as unknown as { readonly options?: Readonly<Record<string, unknown>> };
  // A search keeps the options of training among its own.
  const { data, dataLayout, labelsList, labelsPerClass, group, followLinks, maxPixels, seed } = (
    options?.['train'] instanceof Object && 'data' in options['train'] ? options['train'] : options
  ) as Readonly<Record<string, never>>;
  if (typeof data !== 'string') throw new FormatError(`config.json of ${run} does not say its data.`);
  const given = { layout: dataLayout, labelsList, labelsPerClass, group, followLinks, seed };
  return {
    data,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...(maxPixels !== undefined && { maxPixels: maxPixels * 1e6 }),
  };
}

/** @throws InputError where the file would replace the data, or become a part of it */
function checkPlace({ root, layout }: Dataset, data: string, out: string): void {
  if (resolve(out) === resolve(data)) throw new InputError(`${out} is the data itself: write to another file.`);
  if (layout === 'parquet' && resolve(data) === root && isBelow(root, resolve(out)))
    throw new InputError(`${out} would become a part of the data in ${root}: write to another folder.`);
}

function isBelow(folder: string, file: string): boolean {
  const path = relative(folder, file);
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

/** Paths to write. Images that are inside a file are written as files first, unless they will be inside one again. */
async function placesOf(
  { root, layout, samples }: Dataset,
  format: DataFormat,
  out: string,
): Promise<Pick<DataExport, 'relativeTo' | 'imagesFolder'> & { readonly pathOf: (sample: Sample) => string }> {
  const folder = dirname(resolve(out));
  if (layout !== 'parquet' || format === 'parquet') {
    const base = format !== 'parquet' && samples.every(({ file }) => isBelow(folder, file)) ? folder : root;
    return { relativeTo: base, pathOf: ({ id }) => relative(base, join(root, id)).split(sep).join('/') };
  }
  const name = `${basename(out, extname(out))}-images`;
  const pathOf = ({ id, file }: Sample): string => `${name}/${id}${extname(file)}`;
  for (const sample of samples) {
    const copy = join(folder, pathOf(sample));
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(sample.file, copy);
  }
  return { relativeTo: folder, pathOf, imagesFolder: join(folder, name) };
}

interface Round {
  /** `round-2`, or `final`. */
  readonly name: string;
  readonly columns: readonly string[];
  /** By the id of the image. */
  readonly labels: ReadonlyMap<string, MachineEvidence>;
}

/** The last labels that a machine made in a run, with every column that their file has. */
async function lastRound(run: string): Promise<Round | undefined> {
  const folder = join(run, 'pseudo-labels');
  const files = existsSync(folder) ? await readdir(folder) : [];
  const name = files
    .flatMap((file) => /^(round-\d+|final)\.csv$/.exec(file)?.[1] ?? [])
    .toSorted(byRound)
    .at(-1);
  if (name === undefined) return undefined;
  const file = join(folder, `${name}.csv`);
  const [header = [], ...rows] = parse(await readFile(file, 'utf8')) as string[][];
  const missing = ['file', 'label', 'probability'].find((column) => !header.includes(column));
  if (missing !== undefined) throw new FormatError(`${file} has no column "${missing}".`);
  const cells = rows.map((row) => row.map(plainCell));
  const columns = header.map((column) => column.replaceAll(' ', '_'));
  // Numbers throughout, but for the label: classes may have numbers as names.
  const isNumber = columns.map(
    (column, i) => column !== 'label' && cells.every((row) => Number.isFinite(Number(row[i]))),
  );
  const labels = cells.map((row): [string, MachineEvidence] => {
    const said = columns.flatMap((column, i) =>
      column === 'file' || row[i] === '' ? [] : [[column, isNumber[i] ? Number(row[i]) : row[i]!] as const],
    );
    return [row[columns.indexOf('file')]!, { round: name, ...Object.fromEntries(said) }];
  });
  const others = columns.filter((column) => column !== 'file');
  return { name, columns: [...new Set([...others, 'round'])], labels: new Map(labels) };
}

/** By number, `final` last. */
function byRound(a: string, b: string): number {
  const number = (name: string): number => (name === 'final' ? Infinity : Number(name.slice('round-'.length)));
  return number(a) - number(b);
}
