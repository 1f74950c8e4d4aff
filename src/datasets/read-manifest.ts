import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { FormatError, InputError } from '../core/errors.ts';
import { compareText } from './dataset.ts';
import { cocoRows, isCoco } from './manifest-coco.ts';
import { csvRows } from './manifest-csv.ts';
import { jsonLinesRows } from './manifest-json-lines.ts';
import { joinAnnotators } from './join-annotators.ts';
import { isLabelStudio, labelStudioRows } from './manifest-label-studio.ts';
import { listProblems, refuseSeveralLabels, type ManifestRows } from './manifest-rows.ts';
import { checkLabels, checkSplits, placeRows } from './place-rows.ts';
import type { Candidates } from './read-folder.ts';

/** The whole text is held in memory. */
const MAX_BYTES = 512 << 20;

const READERS: Readonly<Record<string, (text: string, manifest: string, group?: string) => ManifestRows>> = {
  '.csv': csvRows,
  '.tsv': csvRows,
  '.jsonl': jsonLinesRows,
  '.ndjson': jsonLinesRows,
  '.json': jsonRows,
};

/** Whether a file of this name is read as a manifest. */
export function isManifestName(path: string): boolean {
  return Object.hasOwn(READERS, extname(path).toLowerCase());
}

export interface ManifestOptions {
  readonly followLinks?: boolean;
  readonly labelsOptional?: boolean;
  /** Name of a column whose values are groups; where there is none of this name, nothing has a group. */
  readonly group?: string;
}

/**
 * Reads a manifest: CSV or TSV with a header line, JSON lines, COCO's format, or Label Studio's. Columns of the first
 * two: `path` (or file, image), `label` (or class; empty for an unlabelled image) and, where there are ready-made splits,
 * `split`. Paths are relative to the manifest's folder and stay inside it. A byte order mark and CRLF are accepted.
 * @throws InputError that lists every bad row with its line number or the number of its entry, says which column is
 *   missing, or names an image of several labels.
 */
export async function readManifest(manifest: string, options: ManifestOptions = {}): Promise<Candidates> {
  const { size } = await stat(manifest);
  if (size > MAX_BYTES)
    throw new InputError(`${manifest} has ${size} bytes; a manifest of at most ${MAX_BYTES} is read.`);
  const text = decodeText(await readFile(manifest), manifest);
  const { rows, hasGroup, ...read } = READERS[extname(manifest).toLowerCase()]!(text, manifest, options.group);
  const problems = [...read.problems];
  const several = rows.filter(({ labels }) => labels.length > 1);
  const found = await placeRows(rows, dirname(resolve(manifest)), options.followLinks ?? false, problems);
  checkSplits(found, problems);
  const { placed, annotation } = joinAnnotators(found);
  if (several.length === 0) checkLabels(placed, problems);
  const refusals = [
    ...(problems.length > 0 ? [listProblems(manifest, problems)] : []),
    ...(several.length > 0 ? [refuseSeveralLabels(manifest, several)] : []),
  ];
  if (refusals.length > 0) throw new InputError(refusals.join('\n'));
  if (placed.length === 0) throw new InputError(`${manifest} names no image: it has no rows.`);
  const classNames = new Set(
    placed.flatMap(({ candidate: { className } }) => (className === undefined ? [] : className)),
  );
  if (classNames.size === 0 && options.labelsOptional !== true)
    throw new InputError(`${manifest} names no class: every row's label is empty, or it has no label column.`);
  return {
    layout: 'manifest',
    candidates: placed.map(({ candidate }) => candidate).toSorted((a, b) => compareText(a.id, b.id)),
    classNames: [...classNames].toSorted(compareText),
    quarantined: [],
    ignored: [],
    warnings: [],
    hasGroup,
    ...(annotation !== undefined && { annotation }),
  };
}

function jsonRows(text: string, manifest: string, group?: string): ManifestRows {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${manifest} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  if (isCoco(document)) return cocoRows(document, manifest, group);
  if (isLabelStudio(document)) return labelStudioRows(document, group);
  throw new FormatError(
    `${manifest} is neither COCO's format (an object with "images", "annotations" and "categories") nor an export of ` +
      'Label Studio (a list of tasks, each with "data" and "annotations"). One object a line is read from a .jsonl file.',
  );
}

function decodeText(bytes: Uint8Array, manifest: string): string {
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(`${manifest} is not UTF-8 text: save it as UTF-8.`, { cause: error });
  }
}
