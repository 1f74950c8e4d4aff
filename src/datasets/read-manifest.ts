import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, resolve, win32 } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { FormatError, InputError, suggestion } from '../core/errors.ts';
import { compareText, counted, shownName, type Split } from './dataset.ts';
import type { Candidate, Candidates } from './read-folder.ts';
import { isInside } from './walk.ts';

/** A row of a manifest, as text; a field that the row lacks is empty. */
interface Row {
  readonly line: number;
  readonly path: string;
  readonly label: string;
  readonly split: string;
}

interface Problem {
  readonly line: number;
  readonly message: string;
}

const COLUMNS = {
  path: ['path', 'file', 'image', 'filename', 'file_name', 'filepath', 'image_path'],
  label: ['label', 'class', 'class_name', 'category'],
  split: ['split', 'set', 'subset'],
} as const;

const SPLIT_VALUES: Readonly<Record<string, Split>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  unlabeled: 'unlabeled',
  unlabelled: 'unlabeled',
};

const SHOWN_PROBLEMS = 50;
/** The whole text is held in memory. */
const MAX_BYTES = 512 << 20;

/** Whether a file of this name is read as a manifest. */
export function isManifestName(path: string): boolean {
  return ['.csv', '.tsv', '.jsonl', '.ndjson'].includes(extname(path).toLowerCase());
}

/**
 * Reads a manifest: CSV or TSV with a header line, or JSON lines. Columns: `path` (or file, image), `label`
 * (or class; empty for an unlabelled image) and, where there are ready-made splits, `split`. Paths are
 * relative to the manifest's folder and stay inside it. A byte order mark and CRLF are accepted.
 * @throws InputError that lists every bad row with its line number, or says which column is missing.
 */
export async function readManifest(
  manifest: string,
  options: { readonly followLinks?: boolean; readonly labelsOptional?: boolean } = {},
): Promise<Candidates> {
  const { size } = await stat(manifest);
  if (size > MAX_BYTES)
    throw new InputError(`${manifest} has ${size} bytes; a manifest of at most ${MAX_BYTES} is read.`);
  const text = decodeText(await readFile(manifest), manifest);
  const problems: Problem[] = [];
  const rows = /l$|json$/i.test(extname(manifest)) ? jsonRows(text, problems) : csvRows(text, manifest, problems);
  const candidates = await candidatesOf(rows, dirname(resolve(manifest)), options.followLinks ?? false, problems);
  checkLabels(candidates, problems);
  if (problems.length > 0) throw new InputError(listProblems(manifest, problems));
  if (candidates.length === 0) throw new InputError(`${manifest} names no image: it has no rows.`);
  const classNames = new Set(
    candidates.flatMap(({ candidate: { className } }) => (className === undefined ? [] : className)),
  );
  if (classNames.size === 0 && options.labelsOptional !== true)
    throw new InputError(`${manifest} names no class: every row's label is empty, or it has no label column.`);
  return {
    layout: 'manifest',
    candidates: candidates.map(({ candidate }) => candidate).toSorted((a, b) => compareText(a.id, b.id)),
    classNames: [...classNames].toSorted(compareText),
    quarantined: [],
    ignored: [],
    warnings: [],
  };
}

function decodeText(bytes: Uint8Array, manifest: string): string {
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(`${manifest} is not UTF-8 text: save it as UTF-8.`, { cause: error });
  }
}

function csvRows(text: string, manifest: string, problems: Problem[]): Row[] {
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      delimiter: delimiterOf(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n', '\r'],
    }) as unknown as typeof records;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new FormatError(`${manifest} is not valid CSV: ${error.message}.`, { cause: error });
  }
  const [header, ...rest] = records;
  if (header === undefined) throw new InputError(`${manifest} is empty.`);
  const names = header.record.map((name) => name.trim());
  const index = columnsOf(names, manifest);
  const rows: Row[] = [];
  for (const { record, info } of rest) {
    // `lines` counts up to the record's end; a quoted field may hold newlines.
    const line = info.lines - record.reduce((sum, field) => sum + newlines(field), 0);
    if (record.length !== names.length)
      problems.push({ line, message: `has ${counted(record.length, 'field')}, the header has ${names.length}` });
    const field = (at: number): string => (at < 0 ? '' : (record[at] ?? ''));
    rows.push({ line, path: field(index.path), label: field(index.label), split: field(index.split) });
  }
  return rows;
}

function jsonRows(text: string, problems: Problem[]): Row[] {
  const rows: Row[] = [];
  for (const [at, source] of text.split(/\r\n|\n|\r/).entries()) {
    if (source.trim() === '') continue;
    const line = at + 1;
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch (error) {
      problems.push({ line, message: `is not JSON (${(error as Error).message})` });
      continue;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      problems.push({ line, message: 'is not a JSON object' });
      continue;
    }
    const object = value as Record<string, unknown>;
    const fields = { path: '', label: '', split: '' };
    for (const column of ['path', 'label', 'split'] as const) {
      const key = Object.keys(object).find((name) => isColumn(name, column));
      const found = key === undefined ? undefined : object[key];
      if (typeof found === 'string' || typeof found === 'number') fields[column] = String(found);
      else if (found !== undefined && found !== null)
        problems.push({ line, message: `"${key}" is ${JSON.stringify(found)}; expected text or a number` });
    }
    rows.push({ line, ...fields });
  }
  return rows;
}

/** The one of comma, semicolon and tab that the header line has most of. */
function delimiterOf(text: string): string {
  const header = text.slice(0, text.search(/[\r\n]|$/));
  const count = (mark: string): number => header.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

function columnsOf(names: readonly string[], manifest: string): Record<keyof typeof COLUMNS, number> {
  const find = (column: keyof typeof COLUMNS): number => names.findIndex((name) => isColumn(name, column));
  const index = { path: find('path'), label: find('label'), split: find('split') };
  const missing = (['path', 'label'] as const).filter((column) => index[column] < 0);
  if (missing.length > 0)
    throw new InputError(
      `${manifest} needs a header line with the columns ${missing.map((column) => `"${column}" (or ${COLUMNS[column].slice(1, 3).join(', ')})`).join(' and ')}; ` +
        `its first line has ${names.map((name) => JSON.stringify(name)).join(', ')}.`,
    );
  return index;
}

function isColumn(name: string, column: keyof typeof COLUMNS): boolean {
  return (COLUMNS[column] as readonly string[]).includes(name.trim().toLowerCase());
}

interface PlacedRow {
  readonly line: number;
  readonly candidate: Candidate;
}

async function candidatesOf(
  rows: readonly Row[],
  root: string,
  followLinks: boolean,
  problems: Problem[],
): Promise<PlacedRow[]> {
  const placed: PlacedRow[] = [];
  const realRoot = await realpath(root);
  const firstLine = new Map<string, number>();
  for (const row of rows) {
    const refuse = (message: string): void => void problems.push({ line: row.line, message });
    const shown = JSON.stringify(row.path);
    if (row.path === '') refuse('has no path');
    else if (isAbsolute(row.path) || win32.isAbsolute(row.path) || escapes(row.path))
      refuse(`${shown} leads out of the manifest's folder; paths are relative to it and stay inside`);
    else {
      const split = splitOf(row);
      const file = resolve(root, row.path);
      const id = normalise(row.path);
      const earlier = firstLine.get(id);
      if (split === undefined) refuse(unknownSplit(row.split));
      else if (split !== 'unlabeled' && row.label === '') refuse(`${shown} is in "${row.split}" and has no label`);
      else if (earlier !== undefined) refuse(`${shown} is there already, on line ${earlier}`);
      else {
        firstLine.set(id, row.line);
        const problem = await whyNotAFile(file, realRoot, followLinks);
        if (problem !== undefined) refuse(`${shown} ${problem}`);
        else if (split === 'unlabeled') placed.push({ line: row.line, candidate: { id, file, split } });
        else placed.push({ line: row.line, candidate: { id, file, split, className: row.label } });
      }
    }
  }
  return placed;
}

/** Of a row without a split: `train`, or `unlabeled` where it has no label either. */
function splitOf({ split, label }: Row): Split | undefined {
  const key = split.trim().toLowerCase();
  const named = key === '' ? 'train' : Object.hasOwn(SPLIT_VALUES, key) ? SPLIT_VALUES[key] : undefined;
  return named === 'train' && label === '' ? 'unlabeled' : named;
}

function unknownSplit(value: string): string {
  return `has the split ${JSON.stringify(value)}; known are train, val, test, unlabeled${suggestion(value, Object.keys(SPLIT_VALUES))}`;
}

function escapes(path: string): boolean {
  let depth = 0;
  for (const part of path.split(/[/\\]/)) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return true;
  }
  return false;
}

/** `./a//b/../c` and `a/c` are one file. */
function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

async function whyNotAFile(file: string, realRoot: string, followLinks: boolean): Promise<string | undefined> {
  const info = await stat(file).catch(() => undefined);
  if (info === undefined) return 'does not exist';
  if (!info.isFile()) return 'is not a file';
  if (!followLinks && !(await isInside(realRoot, file)))
    return "is a link that leads out of the manifest's folder (--follow-links allows it)";
  return undefined;
}

/** A class that only val or test have can't be learned; most often it is a misspelling. */
function checkLabels(placed: readonly PlacedRow[], problems: Problem[]): void {
  const trained = new Set(placed.flatMap(({ candidate: c }) => (c.split === 'train' ? [c.className!] : [])));
  if (trained.size === 0) return;
  for (const { line, candidate } of placed) {
    const { className, split } = candidate;
    if (className === undefined || trained.has(className)) continue;
    problems.push({
      line,
      message: `the label ${JSON.stringify(className)} of ${split} is unknown: no image of train has it${suggestion(className, trained)}`,
    });
  }
}

function listProblems(manifest: string, problems: readonly Problem[]): string {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const lines = sorted.slice(0, SHOWN_PROBLEMS).map(({ line, message }) => `  line ${line}: ${shownName(message)}`);
  if (sorted.length > SHOWN_PROBLEMS) lines.push(`  and ${sorted.length - SHOWN_PROBLEMS} more`);
  return `${manifest} has ${counted(problems.length, 'bad row')}:\n${lines.join('\n')}`;
}

function newlines(field: string): number {
  return field.split(/\r\n|\n|\r/).length - 1;
}
