import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { FormatError, RunError } from '../core/errors.ts';

/** A line of `events.jsonl`. What else it holds depends on its type. */
export interface RunEvent {
  readonly type: string;
  /** When it was written, ISO 8601 in UTC. */
  readonly time: string;
  readonly [key: string]: unknown;
}

/** What is handed in: the time is added. */
export interface NewEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}

/**
 * The append-only record of a run. A line is written whole; what a killed process left of one is cut off
 * before the next is added.
 */
export class EventLog {
  readonly #path: string;
  readonly #file: number;

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<EventLog> {
    await cutTornLine(path);
    return new EventLog(path, openSync(path, 'a'));
  }

  /** @throws RunError where it can't be written, naming the reason. */
  append(event: NewEvent): void {
    const line = Buffer.from(`${JSON.stringify({ ...event, time: new Date().toISOString() })}\n`);
    try {
      let written = 0;
      while (written < line.length) written += writeSync(this.#file, line, written);
    } catch (error) {
      throw new RunError(`Can't write to ${this.#path}: ${(error as Error).message}.`, { cause: error });
    }
  }

  /** Makes all lines so far survive a power cut. */
  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * The lines of an `events.jsonl`, oldest first. The last line may be cut short (the process was killed, or is
 * writing right now) and is then left out; a file that is not there has none.
 * @throws FormatError where another line is damaged, naming it.
 */
export async function readEvents(path: string): Promise<RunEvent[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  // What stands behind the last newline is a line being written.
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as RunEvent;
    } catch {
      throw new FormatError(`${path}, line ${i + 1} is not JSON: ${JSON.stringify(line.slice(0, 60))}.`);
    }
  });
}

/** Of epochs that were run twice (a killed run repeats what it had not saved) the last record only. */
export function epochEvents(events: readonly RunEvent[]): RunEvent[] {
  const byEpoch = new Map<string, RunEvent>();
  for (const event of events) {
    if (event.type !== 'epoch') continue;
    const key = `${String(event['stage'])}/${String(event['epoch'])}`;
    byEpoch.delete(key);
    byEpoch.set(key, event);
  }
  return [...byEpoch.values()];
}

async function cutTornLine(path: string): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const text = await file.readFile();
    const end = text.lastIndexOf('\n') + 1;
    if (end < size) await file.truncate(end);
  } finally {
    await file.close();
  }
}
