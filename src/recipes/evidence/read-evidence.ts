import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FormatError } from '../../core/errors.ts';
import { EVIDENCE_FOLDER, type Evidence } from './evidence.ts';

/** Files of evidence of a run, in the order of its rounds. */
export async function evidenceFiles(run: string): Promise<string[]> {
  const folder = join(run, EVIDENCE_FOLDER);
  const names = await readdir(folder).catch(() => []);
  const order = (name: string): number => Number(/^round-(\d+)\.jsonl$/.exec(name)?.[1] ?? Infinity);
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted((a, b) => order(a) - order(b) || (a < b ? -1 : 1))
    .map((name) => join(folder, name));
}

/** Its lines, one after the other. @throws FormatError for one that is no JSON */
export async function* readEvidence(file: string): AsyncGenerator<Evidence> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number++;
    try {
      yield JSON.parse(line) as Evidence;
    } catch {
      throw new FormatError(`${file}, line ${number} is not JSON: ${JSON.stringify(line.slice(0, 60))}.`);
    }
  }
}
