import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { InputError } from '../index.ts';

/** Options of a `--config` file, YAML or JSON, by the names that the library has. @throws InputError */
export async function readConfig(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) return {};
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new InputError(`--config ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(
      `--config ${file}: expected options by name, got ${Array.isArray(value) ? 'a list' : typeof value}.`,
    );
  // Keys as flags have them (`batch-size`) work too.
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      entry,
    ]),
  );
}
