import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, resolve, win32 } from 'node:path';
import { suggestion } from '../core/errors.ts';
import type { Split } from './dataset.ts';
import type { ManifestRow, Problem } from './manifest-rows.ts';
import type { Candidate } from './read-folder.ts';
import { isInside } from './walk.ts';

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

/** A row that names an image. */
export interface PlacedRow {
  readonly row: ManifestRow;
  readonly candidate: Candidate;
}

/** Of a path or an address, shown in a message at most. */
const SHOWN_LENGTH = 200;

/**
 * Finds the files that rows name.
 * @param root folder that paths are relative to
 * @param problems gets a message for every row that is refused
 */
export async function placeRows(
  rows: readonly ManifestRow[],
  root: string,
  followLinks: boolean,
  problems: Problem[],
): Promise<PlacedRow[]> {
  const placed: PlacedRow[] = [];
  const realRoot = await realpath(root);
  const first = new Map<string, ManifestRow>();
  const others = new Map<string, Set<string>>();
  for (const row of rows) {
    const refuse = (message: string): void => void problems.push({ at: row.at, where: row.where, message });
    const shown = JSON.stringify(row.path.slice(0, SHOWN_LENGTH));
    const [label] = row.labels;
    if (row.path === '') refuse('has no path');
    else if (/^(?:[a-z][a-z0-9+.-]*:\/\/|data:)/i.test(row.path))
      refuse(`${shown} is an address; download the images into the manifest's folder and name them by their paths`);
    else if (isAbsolute(row.path) || win32.isAbsolute(row.path) || escapes(row.path))
      refuse(`${shown} leads out of the manifest's folder; paths are relative to it and stay inside`);
    else if (row.labels.length < 2) {
      const split = splitOf(row);
      const file = resolve(root, row.path);
      const id = normalise(row.path);
      const known = first.get(id);
      // Another annotator's word about the same image.
      const isNew = row.annotator !== '' && known?.annotator !== '' && others.get(id)?.has(row.annotator) !== true;
      const earlier = isNew ? undefined : known;
      if (split === undefined) refuse(unknownSplit(row.split));
      else if (split !== 'unlabeled' && label === undefined) refuse(`${shown} is in "${row.split}" and has no label`);
      else if (earlier !== undefined) refuse(`${shown} is there already, ${alreadyThere(earlier, label)}`);
      else {
        first.set(id, row);
        others.set(id, (others.get(id) ?? new Set()).add(row.annotator));
        const problem = await whyNotAFile(file, realRoot, followLinks);
        const place = { id, file, split, ...(row.group !== '' && { group: row.group }) };
        if (problem !== undefined) refuse(`${shown} ${problem}`);
        else if (split === 'unlabeled') placed.push({ row, candidate: place });
        else placed.push({ row, candidate: { ...place, className: label! } });
      }
    }
  }
  return placed;
}

function alreadyThere({ where, labels: [other] }: ManifestRow, label: string | undefined): string {
  const place = where.startsWith('line') ? `on ${where}` : `as ${where}`;
  if (other === label || other === undefined || label === undefined) return place;
  return `${place}, with the label ${JSON.stringify(other)} and not ${JSON.stringify(label)}; one label an image is supported`;
}

/** Of a row without a split: `train`, or `unlabeled` where it has no label either. */
function splitOf({ split, labels }: ManifestRow): Split | undefined {
  const named = split.trim() === '' ? 'train' : splitNamed(split);
  return named === 'train' && labels.length === 0 ? 'unlabeled' : named;
}

/** The split that a manifest means by a name, if any. */
export function splitNamed(name: string): Split | undefined {
  const key = name.trim().toLowerCase();
  return Object.hasOwn(SPLIT_VALUES, key) ? SPLIT_VALUES[key] : undefined;
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
export function checkLabels(placed: readonly PlacedRow[], problems: Problem[]): void {
  const trained = new Set(placed.flatMap(({ candidate: c }) => (c.split === 'train' ? [c.className!] : [])));
  if (trained.size === 0) return;
  for (const { row, candidate } of placed) {
    const { className, split } = candidate;
    if (className === undefined || trained.has(className)) continue;
    problems.push({
      at: row.at,
      where: row.where,
      message: `the label ${JSON.stringify(className)} of ${split} is unknown: no image of train has it${suggestion(className, trained)}`,
    });
  }
}

/** What annotators say of one image is of one part. */
export function checkSplits(placed: readonly PlacedRow[], problems: Problem[]): void {
  const splits = new Map<string, PlacedRow>();
  for (const one of placed) {
    const { id, split } = one.candidate;
    // Who gave no label says nothing of the part either.
    if (split === 'unlabeled') continue;
    const first = splits.get(id) ?? one;
    splits.set(id, first);
    if (first.candidate.split === split) continue;
    const { at, where } = one.row;
    problems.push({ at, where, message: `${JSON.stringify(id)} is in ${split} here, and in ${first.candidate.split} on ${first.row.where}` }); // prettier-ignore
  }
}
