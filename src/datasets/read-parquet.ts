import { InputError } from '../core/errors.ts';
import { hasImageExtension } from '../images/format.ts';
import { compareText, counted, shownList, type Quarantined, type Split } from './dataset.ts';
import { extractImages, type ExtractOptions } from './extract-images.ts';
import { isColumn, isObject } from './manifest-rows.ts';
import { ParquetFile } from './parquet-file.ts';
import { splitNamed } from './place-rows.ts';
import type { Candidate, Candidates } from './read-folder.ts';
import type { FoundFile, Walk } from './walk.ts';

export interface ParquetOptions extends ExtractOptions {
  readonly labelsOptional?: boolean;
  /** Name of a column whose values are groups; where there is none of this name, nothing has a group. */
  readonly group?: string;
}

const SHOWN_PROBLEMS = 50;

export function isParquetName(path: string): boolean {
  return path.toLowerCase().endsWith('.parquet');
}

/**
 * The Parquet files of a folder that holds its images in such; none where there are images as files.
 * @throws InputError where they lie in several folders that are no splits: these are data sets of their own
 */
export function parquetShards(tree: Walk, root: string): readonly FoundFile[] {
  if (tree.files.some(({ id }) => hasImageExtension(id))) return [];
  const shards = tree.files.filter(({ id }) => isParquetName(id));
  const places = [...new Set(shards.map(({ id }) => placeOf(id)))];
  if (places.length > 1)
    throw new InputError(
      `${root} holds Parquet files in several folders (${shownList(places.map((place) => place || '.'))}), each a data set of its own: give one of them.`,
    );
  return shards;
}

/** The folder that a shard lies in, without that of its split: `default` of `default/train/0000.parquet`. */
function placeOf(id: string): string {
  const parts = id.split('/').slice(0, -1);
  if (parts.length > 0 && splitNamed(parts.at(-1)!) !== undefined) parts.pop();
  return parts.join('/');
}

/**
 * Reads Parquet as the "datasets" library of Hugging Face writes it: a column of images (a struct of `bytes` and `path`, or
 * bytes), one of labels (whole numbers with the names of a ClassLabel, or text; null or -1 for an unlabelled image), and if
 * there is one a `split`, which else is in the name of the file or its folder. An image's id is that of the file and its row,
 * counted from 0: `train-00000-of-00001.parquet/17`.
 * @throws InputError where a column is missing or holds several labels an image, or rows can't be read (these are named);
 *   AbortedError by `signal`.
 */
export async function readParquet(shards: readonly FoundFile[], options: ParquetOptions = {}): Promise<Candidates> {
  const candidates: Candidate[] = [];
  const quarantined: Quarantined[] = [];
  const problems: string[] = [];
  const unscorable: string[] = [];
  let hasGroup = false;
  for (const { id, file } of shards) {
    await using parquet = await ParquetFile.open(file);
    const labels = await labelsOf(parquet, file, problems);
    const splits = await textsOf(
      parquet,
      file,
      parquet.columns.find((name) => isColumn(name, 'split')),
    );
    const groups = await textsOf(
      parquet,
      file,
      parquet.columns.find((name) => name === options.group),
    );
    hasGroup ||= groups !== undefined;
    if (problems.length > 0) continue;
    const files = await extractImages(parquet, file, imageColumn(parquet, file), options);
    for (const [row, path] of files.entries()) {
      const place = { id: `${id}/${row}`, ...(groups !== undefined && groups[row] !== '' && { group: groups[row]! }) };
      const className = labels?.[row] ?? '';
      const split = (splits?.[row] ?? '') === '' ? splitOfFile(id) : splitNamed(splits![row]!);
      if (split === undefined)
        problems.push(`row ${row} of ${file} has the split "${splits![row]}"; known are train, val, test, unlabeled`);
      else if (path === undefined)
        quarantined.push({ file: place.id, reason: 'the row has no image: its bytes are null' });
      else if (className !== '' && split !== 'unlabeled') candidates.push({ ...place, file: path, split, className });
      else if (split === 'val' || split === 'test') unscorable.push(place.id);
      else candidates.push({ ...place, file: path, split: 'unlabeled' });
    }
  }
  if (problems.length > 0)
    throw new InputError(
      `${counted(problems.length, 'bad row')} in Parquet:\n  ${problems.slice(0, SHOWN_PROBLEMS).join('\n  ')}` +
        `${problems.length > SHOWN_PROBLEMS ? `\n  and ${problems.length - SHOWN_PROBLEMS} more` : ''}`,
    );
  const classNames = new Set(candidates.flatMap(({ className }) => className ?? []));
  if (classNames.size === 0 && options.labelsOptional !== true)
    throw new InputError(`${shownList(shards.map(({ id }) => id))}: no row has a label.`);
  return {
    layout: 'parquet',
    candidates: candidates.toSorted((a, b) => compareText(a.id, b.id)),
    classNames: [...classNames].toSorted(compareText),
    quarantined,
    ignored: unscorable,
    warnings:
      unscorable.length === 0
        ? []
        : [
            `${counted(unscorable.length, 'row')} of val or test without a label, passed over: ${shownList(unscorable)}`,
          ],
    hasGroup,
  };
}

/** `train-00000-of-00001.parquet` and `test/0000.parquet` say their split; what says none is of train. */
function splitOfFile(id: string): Split {
  const [name, folder] = id.split('/').toReversed() as [string, string?];
  const named = splitNamed(name.split(/[-_.]/, 1)[0]!);
  return named ?? (folder === undefined ? undefined : splitNamed(folder)) ?? 'train';
}

/** @throws InputError unless there is one column of images */
function imageColumn(parquet: ParquetFile, file: string): readonly string[] {
  const named = parquet.columns.filter((name) => featureType(parquet.features[name]) === 'Image');
  const candidates =
    named.length > 0
      ? named
      : parquet.columns.filter(
          (name) => (isColumn(name, 'path') || parquet.column(name, 'bytes') !== undefined) && hasBytes(parquet, name),
        );
  const found = candidates.length > 1 ? candidates.filter((name) => isColumn(name, 'path')) : candidates;
  if (found.length !== 1)
    throw new InputError(
      `${file} needs one column of images, a struct of "bytes" and "path" named "image"; ` +
        `it has ${found.length} such among its columns ${shownList(parquet.columns, 20)}.`,
    );
  return parquet.column(found[0]!, 'bytes') === undefined ? found : [found[0]!, 'bytes'];
}

function hasBytes(parquet: ParquetFile, name: string): boolean {
  const { element } = parquet.column(name, 'bytes') ?? parquet.column(name)!;
  return element.type === 'BYTE_ARRAY' && element.converted_type === undefined && element.logical_type === undefined;
}

/**
 * The class of each row, if there is a column of classes.
 * @param problems gets rows whose number stands for none
 * @throws InputError where there are several such columns, or one with several labels an image
 */
async function labelsOf(
  parquet: ParquetFile,
  file: string,
  problems: string[],
): Promise<readonly (string | undefined)[] | undefined> {
  const declared = parquet.columns.filter((name) => featureType(parquet.features[name]) === 'ClassLabel');
  const named = parquet.columns.filter((name) => isColumn(name, 'label') || name.toLowerCase() === 'labels');
  const chosen =
    declared.length === 1 ? declared : declared.length > 1 ? declared.filter((name) => named.includes(name)) : named;
  if (chosen.length > 1 || (chosen.length === 0 && declared.length > 1))
    throw new InputError(
      `${file} has several columns of classes (${shownList(declared.length > 1 ? declared : chosen)}): name the one that is meant "label".`,
    );
  const [column] = chosen;
  if (column === undefined) return undefined;
  if (parquet.column(column)!.children.length > 0)
    throw new InputError(
      `${file}: the column "${column}" holds several labels an image; one label an image is supported: keep one of them.`,
    );
  const names = classNamesOf(parquet.features[column]);
  const labels: (string | undefined)[] = [];
  for await (const { start, values } of parquet.read(column))
    for (let i = 0; i < values.length; i++) {
      const text = textOf(values[i]);
      if (names === undefined || text === '') labels.push(text);
      else {
        // The library's own sign for a missing label.
        const label = text === '-1' ? '' : names[Number(text)];
        if (label === undefined)
          problems.push(
            `row ${start + i} of ${file} has the label ${text}, and there are ${names.length} classes, from 0`,
          );
        labels.push(label ?? '');
      }
    }
  return labels;
}

/** @throws InputError where the column holds lists */
async function textsOf(
  parquet: ParquetFile,
  file: string,
  column: string | undefined,
): Promise<readonly string[] | undefined> {
  if (column === undefined) return undefined;
  if (parquet.column(column)!.children.length > 0)
    throw new InputError(`${file}: the column "${column}" holds lists or structs; expected text or numbers.`);
  const texts: string[] = [];
  for await (const { values } of parquet.read(column))
    for (let i = 0; i < values.length; i++) texts.push(textOf(values[i]));
  return texts;
}

/** Empty for nothing: null, and what pandas writes for a missing number. */
function textOf(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value);
}

function classNamesOf(feature: unknown): readonly string[] | undefined {
  const names = isObject(feature) ? feature['names'] : undefined;
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
}

/** @param feature as the library describes a column: `{ _type: 'Image' }` */
function featureType(feature: unknown): unknown {
  return isObject(feature) ? feature['_type'] : undefined;
}
