import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { FormatError, InputError } from '../core/errors.ts';

/**
 * How the engine computed: `engine.json`. Sums in another order end in other last digits, so a run is resumed
 * with the same choices, on the same kind of processor, or knowingly not.
 */
const schema = z.strictObject({
  /** Name and version, `onnxruntime-node 1.30.0`. */
  engine: z.string(),
  gleaner: z.string(),
  device: z.string(),
  processor: z.string(),
  threads: z.int().min(1),
  target: z.enum(['plain', 'blocked']),
  /** Channels that lie together; 1 without the blocked layout. */
  block: z.int().min(1),
  /** Images a pass through the network, by stage; several make a step. */
  microBatch: z.record(z.string(), z.int().min(1)),
  /** Which lowering was taken, by op and shape, where several could serve. */
  lowerings: z.record(z.string(), z.string()),
});

export type EngineRecord = z.output<typeof schema>;

/** Writes `engine.json`; before the first step. Keys are sorted, so equal records are equal bytes. */
export async function writeEngineRecord(file: string, record: EngineRecord): Promise<void> {
  const ordered = { ...record, microBatch: sorted(record.microBatch), lowerings: sorted(record.lowerings) };
  await writeFileAtomic(file, `${JSON.stringify(ordered, undefined, 2)}\n`);
}

function sorted<T>(entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Undefined where there is no such file. @throws FormatError for one that is not an engine record. */
export async function readEngineRecord(file: string): Promise<EngineRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${file} is not JSON: ${(error as Error).message}.`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new FormatError(
      `${file} is not an engine record: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}.`,
    );
  return parsed.data;
}

/**
 * What differs between the engine a run was started with and the one at hand, a line each. Choices (lowerings,
 * micro-batches) that only one of them has met do not differ.
 */
export function engineDifferences(recorded: EngineRecord, current: EngineRecord): string[] {
  const differences: string[] = [];
  const compare = (what: string, then: unknown, now: unknown): void => {
    if (then !== now) differences.push(`${what}: ${String(then)} then, ${String(now)} now`);
  };
  for (const key of ['engine', 'gleaner', 'device', 'processor', 'threads', 'target', 'block'] as const)
    compare(key, recorded[key], current[key]);
  for (const key of ['microBatch', 'lowerings'] as const)
    for (const [name, then] of Object.entries(recorded[key]))
      if (current[key][name] !== undefined) compare(`${key} ${name}`, then, current[key][name]);
  return differences;
}

/** @throws InputError listing what differs, unless `accept` is set. */
export function checkEngine(recorded: EngineRecord, current: EngineRecord, accept: boolean): void {
  const differences = engineDifferences(recorded, current);
  if (differences.length === 0 || accept) return;
  throw new InputError(
    `The engine differs from the one this run was started with, so it would not end with the same weights: ${differences.join('; ')}. ` +
      'Go on all the same with --accept-engine.',
  );
}
