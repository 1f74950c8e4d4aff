import type { TrackRecord } from '../core/profile.ts';
import type { Tensor } from '../core/tensor.ts';
import { availableCores } from './cores.ts';
import { deviceName, type DeviceName, type DeviceReport } from './devices.ts';
import type { RunRequest, SessionInfo } from './engine-host.ts';
import type { EngineApi } from './engine-worker.ts';
import { checkThreads, type LoadOptions } from './session-options.ts';
import { packTensors } from './transfer.ts';
import type { ValueInfo } from './value-check.ts';
import { WorkerClient } from './worker-client.ts';
import { workerFile } from './worker-file.ts';

export type { DeviceName } from './devices.ts';
export type { LoadOptions } from './session-options.ts';

export interface EngineOptions {
  /** Default `auto`: the best that works, else the processor. A device that is named and missing is an error. */
  readonly device?: string;
  /** Threads inside an op; default every core this process may use. */
  readonly threads?: number;
  /** Measures where the time of its thread goes, see `profile`. */
  readonly profiled?: boolean;
}

/** One run: every input is fed or resident; without `keep` and `fetch`, all outputs are fetched. */
export interface RunOptions {
  /** Input name to tensor. */
  readonly feeds?: Readonly<Record<string, Tensor>>;
  /** Input name to the name of a tensor that is in the engine. */
  readonly resident?: Readonly<Record<string, string>>;
  /** Output name to the name under which it stays in the engine, replacing what had that name. */
  readonly keep?: Readonly<Record<string, string>>;
  /** Outputs to hand back. */
  readonly fetch?: readonly string[];
  /** Moves the memory of `feeds` instead of copying it: it is gone for the caller. */
  readonly transfer?: boolean;
}

export interface Cancellable {
  /** Stops between two runs, never inside one. */
  readonly signal?: AbortSignal;
}

/** A model in the engine. */
export interface Session extends SessionInfo {
  /** Frees it, and writes its profile where one was asked for. */
  release(): Promise<void>;
}

/**
 * ONNX Runtime in a thread of its own. Calls are carried out in the order they are made, one at a time;
 * the caller's event loop stays free. Tensors that stay in the engine never cross threads.
 * @example
 * await using engine = await Engine.start();
 * const session = await engine.load(bytes, { name: 'double' });
 * const { y } = await engine.run(session, { feeds: { x: float32([1, 2]) } });
 */
export class Engine implements AsyncDisposable {
  readonly device: DeviceName;
  readonly threads: number;
  /** Of ONNX Runtime. */
  readonly version: string;
  /** Where `auto` fell back to the processor: why. */
  readonly deviceNote: string | undefined;
  #worker: WorkerClient<EngineApi>;

  private constructor(
    worker: WorkerClient<EngineApi>,
    device: DeviceName,
    threads: number,
    version: string,
    note: string | undefined,
  ) {
    this.#worker = worker;
    this.device = device;
    this.threads = threads;
    this.version = version;
    this.deviceNote = note;
  }

  /** @throws InputError for a device that is unknown or missing, RunError where the engine can't be loaded. */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    const device = deviceName(options.device ?? 'auto');
    const threads = checkThreads(options.threads ?? availableCores());
    const worker = new WorkerClient<EngineApi>(workerFile('./engine-worker.ts', import.meta.url), 'the engine');
    try {
      const { choice, version } = await worker.call('start', [device, threads, options.profiled ?? false]);
      return new Engine(worker, choice.device, threads, version, choice.note);
    } catch (error) {
      await worker.close();
      throw error;
    }
  }

  /** Every device the engine knows, each tried alone, with the reason where it can't be used. */
  devices(): Promise<DeviceReport[]> {
    return this.#worker.call('devices', []);
  }

  /**
   * @param model the bytes of an ONNX file, or its path.
   * @throws ModelError with the engine's own words, InputError for an unknown option.
   */
  async load(model: Uint8Array | string, options: LoadOptions = {}): Promise<Session> {
    const { transfer = false, ...rest } = options;
    const whole = typeof model !== 'string' && transfer && model.byteLength === model.buffer.byteLength;
    // A Buffer's `slice` would share its memory.
    const sent = typeof model === 'string' || whole ? model : Uint8Array.prototype.slice.call(model);
    const info = await this.#worker.call('load', [sent, rest], {
      transfer: typeof sent === 'string' ? [] : [sent.buffer as ArrayBuffer],
    });
    return { ...info, release: () => this.#worker.call('release', [info.id]) };
  }

  /**
   * Places tensors in the engine by name, replacing what had that name.
   * @param options.transfer moves their memory instead of copying it.
   */
  async put(tensors: Readonly<Record<string, Tensor>>, options: { readonly transfer?: boolean } = {}): Promise<void> {
    const packed = packTensors(tensors, options.transfer ?? false);
    await this.#worker.call('put', [packed.tensors], { transfer: packed.buffers });
  }

  /** Copies of tensors that are in the engine. @throws RangeError for a name that is not. */
  get(names: readonly string[]): Promise<Record<string, Tensor>> {
    return this.#worker.call('get', [names]);
  }

  /** Takes tensors out of the engine. @throws RangeError for a name that is not there. */
  async free(names: readonly string[]): Promise<void> {
    await this.#worker.call('free', [names]);
  }

  /**
   * Runs a model and hands back the outputs in `fetch`.
   * @throws RangeError, TypeError for a wrong input, RunError with the engine's words, AbortedError.
   */
  async run(session: Session, run: RunOptions = {}, options: Cancellable = {}): Promise<Record<string, Tensor>> {
    const [result] = await this.runAll([{ session, ...run }], options);
    return result!;
  }

  /** Many runs in one message, in order; stops at the first that fails. */
  runAll(
    runs: readonly (RunOptions & { readonly session: Session })[],
    options: Cancellable = {},
  ): Promise<Record<string, Tensor>[]> {
    const buffers = new Set<ArrayBuffer>();
    const requests = runs.map((run) => request(run, buffers));
    return this.#worker.call('run', [requests], { transfer: [...buffers], signal: options.signal });
  }

  /**
   * Milliseconds of each of `runs` runs with the same inputs, measured inside the engine's thread.
   * All outputs are computed and none is handed back.
   */
  time(
    session: Session,
    run: Pick<RunOptions, 'feeds' | 'resident' | 'transfer'>,
    options: Cancellable & { readonly warmUp?: number; readonly runs?: number } = {},
  ): Promise<number[]> {
    const { warmUp = 1, runs = 5, signal } = options;
    const buffers = new Set<ArrayBuffer>();
    return this.#worker.call('time', [request({ session, ...run }, buffers), warmUp, runs], {
      transfer: [...buffers],
      signal,
    });
  }

  /** From the next call on, whether what is measured is part of training a network. */
  training(is: boolean): void {
    // Where the thread died, the next call says so.
    this.#worker.call('training', [is]).catch(() => {});
  }

  /** Where the time of the engine's thread went so far, if it was started to be profiled. */
  profile(): Promise<TrackRecord | undefined> {
    return this.#worker.call('profile', []);
  }

  /** Waits for the run in hand, withdraws the rest, frees everything and ends the thread. */
  async dispose(): Promise<void> {
    await this.#worker.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function request(run: RunOptions & { readonly session: Session }, buffers: Set<ArrayBuffer>): RunRequest {
  const packed = packTensors(run.feeds ?? {}, run.transfer ?? false);
  for (const buffer of packed.buffers) buffers.add(buffer);
  const { session } = run;
  return {
    session: session.id,
    feeds: packed.tensors,
    resident: run.resident ?? {},
    keep: run.keep ?? {},
    fetch: run.fetch ?? (run.keep === undefined ? session.outputs.map((output: ValueInfo) => output.name) : []),
  };
}
