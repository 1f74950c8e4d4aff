import { counted, shownName } from './dataset.ts';

/** One image of a manifest, as text; a field that it lacks is empty. */
export interface ManifestRow {
  /** Order in the file: a line, or the number of an entry. */
  readonly at: number;
  /** Where it stands, for messages: `line 3`, `image 7`. */
  readonly where: string;
  readonly path: string;
  /** Different ones, in their order; none for an unlabelled image. */
  readonly labels: readonly string[];
  readonly split: string;
  readonly group: string;
  /** Who gave the label. */
  readonly annotator: string;
}

/** What is wrong with an entry of a manifest. */
export interface Problem {
  readonly at: number;
  readonly where: string;
  readonly message: string;
}

export interface ManifestRows {
  readonly rows: readonly ManifestRow[];
  readonly problems: readonly Problem[];
  /** Whether the manifest has the column that was asked for as group. */
  readonly hasGroup: boolean;
}

/** Names that a column may have, in any case. */
export const COLUMNS = {
  path: ['path', 'file', 'image', 'filename', 'file_name', 'filepath', 'image_path'],
  label: ['label', 'class', 'class_name', 'category'],
  split: ['split', 'set', 'subset'],
  annotator: ['annotator', 'annotator_id', 'labeler', 'labeller', 'worker'],
} as const;

export function isColumn(name: string, column: keyof typeof COLUMNS): boolean {
  return (COLUMNS[column] as readonly string[]).includes(name.trim().toLowerCase());
}

/** The value of the field that stands for a column. */
export function fieldOf(
  object: Readonly<Record<string, unknown>>,
  column: keyof typeof COLUMNS,
): { readonly key?: string; readonly value: unknown } {
  const key = Object.keys(object).find((name) => isColumn(name, column));
  return key === undefined ? { value: undefined } : { key, value: object[key] };
}

/** A text or number as text, `''` for nothing; anything else is refused. */
export function textOf(key: string | undefined, value: unknown, refuse: (message: string) => void): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  refuse(`"${key}" is ${JSON.stringify(value)}; expected text or a number`);
  return '';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An entry's own number, else its place. */
export function shownId(id: unknown, index: number): string {
  return id === undefined ? `number ${index + 1}` : String(id);
}

const SHOWN_PROBLEMS = 50;

/** Every problem of a manifest in one message, in the order of the file. */
export function listProblems(manifest: string, problems: readonly Problem[]): string {
  const sorted = problems.toSorted((a, b) => a.at - b.at);
  const lines = sorted.slice(0, SHOWN_PROBLEMS).map(({ where, message }) => `  ${where}: ${shownName(message)}`);
  if (sorted.length > SHOWN_PROBLEMS) lines.push(`  and ${sorted.length - SHOWN_PROBLEMS} more`);
  return `${manifest} has ${counted(problems.length, 'bad row')}:\n${lines.join('\n')}`;
}

/** The sentence that refuses images of several classes. */
export function refuseSeveralLabels(manifest: string, several: readonly ManifestRow[]): string {
  const [first, ...others] = several as [ManifestRow, ...ManifestRow[]];
  return (
    `${manifest}, ${first.where}: ${JSON.stringify(first.path)} has ${first.labels.length} labels (${first.labels.map(shownName).join(', ')})` +
    `${others.length === 0 ? '' : `, as it is with ${counted(others.length, 'other image')}`}; ` +
    'one label an image is supported: keep one of them, or leave such images out.'
  );
}
