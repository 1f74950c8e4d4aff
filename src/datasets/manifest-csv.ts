import { CsvError, parse } from 'csv-parse/sync';
import { plainCell } from '../core/csv.ts';
import { FormatError, InputError } from '../core/errors.ts';
import { counted } from './dataset.ts';
import { COLUMNS, isColumn, type ManifestRow, type ManifestRows, type Problem } from './manifest-rows.ts';

/**
 * Rows of a manifest in CSV, or with semicolons or tabs.
 * @param group name of the column whose values are groups
 * @throws FormatError for what is no CSV; InputError where a column is missing
 */
export function csvRows(text: string, manifest: string, group?: string): ManifestRows {
  const [header, ...rest] = recordsOf(text, manifest);
  if (header === undefined) throw new InputError(`${manifest} is empty.`);
  const names = header.record.map((name) => name.trim());
  const index = columnsOf(names, manifest);
  const groupAt = group === undefined ? -1 : names.indexOf(group);
  const rows: ManifestRow[] = [];
  const problems: Problem[] = [];
  for (const { record, info } of rest) {
    // `lines` counts up to the record's end; a quoted field may hold newlines.
    const at = info.lines - record.reduce((sum, field) => sum + newlines(field), 0);
    const where = `line ${at}`;
    if (record.length !== names.length)
      problems.push({ at, where, message: `has ${counted(record.length, 'field')}, the header has ${names.length}` });
    const field = (column: number): string => plainCell(record[column] ?? '');
    const label = field(index.label);
    rows.push({
      at,
      where,
      path: field(index.path),
      labels: label === '' ? [] : [label],
      split: field(index.split),
      group: field(groupAt),
      annotator: field(index.annotator),
    });
  }
  return { rows, problems, hasGroup: groupAt >= 0 };
}

function recordsOf(text: string, manifest: string): { record: string[]; info: { lines: number } }[] {
  try {
    return parse(text, {
      delimiter: delimiterOf(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n', '\r'],
    }) as unknown as { record: string[]; info: { lines: number } }[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new FormatError(`${manifest} is not valid CSV: ${error.message}.`, { cause: error });
  }
}

/** The one of comma, semicolon and tab that the header line has most of. */
function delimiterOf(text: string): string {
  const header = text.slice(0, text.search(/[\r\n]|$/));
  const count = (mark: string): number => header.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

function columnsOf(names: readonly string[], manifest: string): Record<keyof typeof COLUMNS, number> {
  const find = (column: keyof typeof COLUMNS): number => names.findIndex((name) => isColumn(name, column));
  const index = { path: find('path'), label: find('label'), split: find('split'), annotator: find('annotator') };
  const missing = (['path', 'label'] as const).filter((column) => index[column] < 0);
  if (missing.length > 0)
    throw new InputError(
      `${manifest} needs a header line with the columns ${missing.map((column) => `"${column}" (or ${COLUMNS[column].slice(1, 3).join(', ')})`).join(' and ')}; ` +
        `its first line has ${names.map((name) => JSON.stringify(name)).join(', ')}.`,
    );
  return index;
}

function newlines(field: string): number {
  return field.split(/\r\n|\n|\r/).length - 1;
}
