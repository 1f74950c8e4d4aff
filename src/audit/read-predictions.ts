import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { InputError } from '../core/errors.ts';
import type { Sample } from '../datasets/dataset.ts';
import type { PredictedLabels } from './subgroups.ts';

/**
 * What a model said, from the lines of `gleaner predict --json` or `--csv`: `file` and `label` of each image. A file is
 * known by its path or by its id, the end of its path below the data folder.
 * @throws InputError where the file can't be read so, or names no image of the data
 */
export async function readPredictions(path: string, samples: readonly Sample[]): Promise<PredictedLabels> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new InputError(`Can't read the predictions ${path}: ${(error as Error).message}.`, { cause: error });
  });
  const byFile = new Map(samples.map(({ file, id }) => [file, id]));
  const ids = new Set(samples.map(({ id }) => id));
  const predicted = new Map<string, string>();
  for (const { file, label } of rowsOf(text, path)) {
    const id = byFile.get(resolve(file)) ?? endOf(file, ids);
    if (id !== undefined) predicted.set(id, label);
  }
  if (predicted.size === 0)
    throw new InputError(
      `The predictions ${path} name no image of the data: expected "file" and "label", as "gleaner predict --json" and "--csv" write them.`,
    );
  return predicted;
}

/** The longest end of a path that is an id. */
function endOf(file: string, ids: ReadonlySet<string>): string | undefined {
  const parts = file.replaceAll('\\', '/').split('/');
  for (let from = 0; from < parts.length; from++) {
    const end = parts.slice(from).join('/');
    if (ids.has(end)) return end;
  }
  return undefined;
}

function rowsOf(text: string, path: string): { file: string; label: string }[] {
  const isJson = text.trimStart().startsWith('{');
  try {
    const rows = isJson
      ? text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
      : (parse(text, { columns: true, bom: true, skip_empty_lines: true }) as Record<string, unknown>[]);
    return rows.flatMap(({ file, label }) =>
      typeof file === 'string' && typeof label === 'string' && label !== '' ? [{ file, label }] : [],
    );
  } catch (error) {
    throw new InputError(
      `The predictions ${path} are neither JSON lines nor CSV with a header: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}
