import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { removeAbandonedTemporaries, writeFileAtomic } from '../core/atomic-file.ts';
import { FormatError, InputError } from '../core/errors.ts';
import { checkDisk } from '../core/disk.ts';
import { EventLog, readEvents, type NewEvent } from './events.ts';
import { Lock, lockState } from './lock.ts';

/** What `config.json` holds: whatever the recipe needs to continue, and what the run was made of. */
export interface RunConfig {
  /** Of the data as it was read at the start. */
  readonly dataFingerprint: string;
  readonly [key: string]: unknown;
}

export type RunState = 'running' | 'interrupted' | 'finished' | 'not-started';

export interface RunStatus {
  readonly state: RunState;
  /** Of the process at work, while it runs. */
  readonly pid?: number;
}

/**
 * The folder of a run, held by one process: the contract between training, report and server.
 *
 * | file | |
 * |---|---|
 * | `config.json` | written once, before anything is trained |
 * | `engine.json` | how the engine computed, so that a resumed run computes the same |
 * | `events.jsonl` | every metric, stage start and end; append-only |
 * | `lock` | the process at work |
 * | `stages/NN-name/checkpoints/{last,best}.safetensors` | |
 */
export class RunFolder {
  readonly path: string;
  readonly config: RunConfig;
  readonly #lock: Lock;
  readonly #events: EventLog;
  #closed = false;

  private constructor(path: string, config: RunConfig, lock: Lock, events: EventLog) {
    this.path = path;
    this.config = config;
    this.#lock = lock;
    this.#events = events;
  }

  /**
   * Starts a run in a new or empty folder.
   * @param options.neededBytes an estimate of what will be written
   * @throws InputError where the folder holds a run or anything else, another process has it, or it can't be written.
   */
  static async create(
    path: string,
    config: RunConfig,
    options: { readonly neededBytes?: number } = {},
  ): Promise<RunFolder> {
    const folder = resolve(path);
    if (existsSync(join(folder, 'config.json')))
      throw new InputError(`${path} already holds a run; choose another folder, or continue it with --resume ${path}.`);
    await checkDisk(folder, options.neededBytes ?? 0);
    const lock = await Lock.take(folder);
    try {
      // A start that was killed leaves a lock and temporary files, no more.
      const other = (await readdir(folder)).find((name) => !name.startsWith('lock') && !name.startsWith('.gleaner-'));
      if (other !== undefined)
        throw new InputError(`${path} is not empty (it holds "${other}"); a run needs a folder of its own.`);
      await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`);
      return new RunFolder(folder, config, lock, await EventLog.open(join(folder, 'events.jsonl')));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Takes up a run that was interrupted.
   * @throws InputError where there is no run, it never started, has finished, or another process is at work on it.
   */
  static async resume(path: string, options: { readonly neededBytes?: number } = {}): Promise<RunFolder> {
    const folder = resolve(path);
    const config = await readConfig(path);
    await checkDisk(folder, options.neededBytes ?? 0);
    const lock = await Lock.take(folder);
    try {
      if ((await readEvents(join(folder, 'events.jsonl'))).some((event) => event.type === 'finished'))
        throw new InputError(`The run in ${path} has finished; there is nothing to resume.`);
      await removeAbandonedTemporaries(folder);
      return new RunFolder(folder, config, lock, await EventLog.open(join(folder, 'events.jsonl')));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** @throws RunError where the line can't be written or another process took the folder. */
  append(event: NewEvent): void {
    this.#lock.check();
    this.#events.append(event);
  }

  /**
   * The folder of a stage, made where it is missing.
   * @param index counted from 1: `stages/02-finetune`
   */
  async stage(index: number, name: string): Promise<string> {
    if (!/^[a-z][a-z0-9-]*$/.test(name))
      throw new RangeError(`A stage's name is of the form "fine-tune", got "${name}".`);
    const folder = join(this.path, 'stages', `${String(index).padStart(2, '0')}-${name}`);
    await mkdir(join(folder, 'checkpoints'), { recursive: true });
    await removeAbandonedTemporaries(join(folder, 'checkpoints'));
    return folder;
  }

  /** Where a file of the run lies; for writers that hold the lock. @throws RunError where the lock was lost. */
  file(...parts: readonly string[]): string {
    this.#lock.check();
    return join(this.path, ...parts);
  }

  /**
   * Compares the data with what the run started on.
   * @throws InputError where they differ, unless `accept` is set; then it is recorded.
   */
  checkData(fingerprint: string, accept: boolean): void {
    if (fingerprint === this.config.dataFingerprint) return;
    if (!accept)
      throw new InputError(
        `The data changed since the run in ${this.path} started, so it can't end as it would have. ` +
          'Put the data back, start a new run, or go on all the same with --accept-data-change.',
      );
    this.append({ type: 'data-change-accepted', from: this.config.dataFingerprint, to: fingerprint });
  }

  /** Records the end and lets go of the folder. */
  async finish(): Promise<void> {
    this.append({ type: 'finished' });
    this.#events.sync();
    await this.close();
  }

  /** Lets go of the folder; the run can be resumed. Closing again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.close();
    await this.#lock.release();
  }
}

/** Whether a run is at work, ended, or waits to be resumed. @throws InputError where there is no such folder. */
export async function runStatus(path: string): Promise<RunStatus> {
  if (!existsSync(path)) throw new InputError(`There is no run in ${path}.`);
  const holder = await lockState(path);
  if (holder !== undefined) return { state: 'running', pid: holder.pid };
  if (!existsSync(join(path, 'config.json'))) return { state: 'not-started' };
  const events = await readEvents(join(path, 'events.jsonl'));
  return { state: events.some((event) => event.type === 'finished') ? 'finished' : 'interrupted' };
}

/** @throws InputError where there is no run, or it was killed before it began; FormatError for a damaged file. */
export async function readConfig(path: string): Promise<RunConfig> {
  if (!existsSync(path)) throw new InputError(`There is no run in ${path}.`);
  const file = join(path, 'config.json');
  if (!existsSync(file))
    throw new InputError(`${path} has no config.json: the run was stopped before it began. Start it again.`);
  let config: unknown;
  try {
    config = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new FormatError(`${file} is not JSON: ${(error as Error).message}.`);
  }
  if (typeof config !== 'object' || config === null || !('dataFingerprint' in config))
    throw new FormatError(`${file} is not the configuration of a run: it has no "dataFingerprint".`);
  return config as RunConfig;
}
