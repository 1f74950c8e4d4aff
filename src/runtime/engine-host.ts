import { AbortedError, ModelError, RunError, suggestion } from '../core/errors.ts';
import { timed, timedSync, type Track } from '../core/profile.ts';
import type { DataType, Tensor, TensorData } from '../core/tensor.ts';
import { chooseDevice, probeDevices, type DeviceChoice, type DeviceName, type DeviceReport } from './devices.ts';
import { loadOnnxRuntime, type OnnxRuntime } from './onnxruntime.ts';
import { sessionOptions, type LoadOptions } from './session-options.ts';
import { copyOf } from './transfer.ts';
import { checkInputs, checkOutputs, type ValueInfo } from './value-check.ts';

export type SessionId = number;

export interface SessionInfo {
  readonly id: SessionId;
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface RunRequest {
  readonly session: SessionId;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Input name to the name of a resident tensor. */
  readonly resident: Readonly<Record<string, string>>;
  /** Output name to the name it becomes resident under. */
  readonly keep: Readonly<Record<string, string>>;
  readonly fetch: readonly string[];
}

interface Loaded {
  readonly info: SessionInfo;
  /** What its runs are called where time is measured. */
  readonly span: string;
  readonly session: OnnxRuntime.InferenceSession;
}

/** Whether the caller has given up on the call in hand; asked between runs. */
export type Cancelled = () => boolean;

/**
 * The engine itself, as it lives in its thread: sessions by number, resident tensors by name. One call at
 * a time; the caller sees to that.
 */
export class EngineHost {
  /** Measures the calls, where it is set. */
  track: Track | undefined;
  #ort: typeof OnnxRuntime;
  #device: DeviceName;
  #threads: number;
  #sessions = new Map<SessionId, Loaded>();
  #nextSession = 1;
  #residents = new Map<string, OnnxRuntime.Tensor>();

  private constructor(ort: typeof OnnxRuntime, device: DeviceName, threads: number) {
    this.#ort = ort;
    this.#device = device;
    this.#threads = threads;
  }

  /** @throws InputError where the device asked for is missing. */
  static async start(
    wanted: DeviceName | 'auto',
    threads: number,
  ): Promise<{ host: EngineHost; choice: DeviceChoice; version: string }> {
    const ort = await loadOnnxRuntime();
    const choice = await chooseDevice(ort, wanted);
    return { host: new EngineHost(ort, choice.device, threads), choice, version: ort.env.versions.node ?? '' };
  }

  async devices(): Promise<DeviceReport[]> {
    return probeDevices(this.#ort);
  }

  /** @throws ModelError with the engine's own words. */
  async load(model: Uint8Array | string, options: LoadOptions): Promise<SessionInfo> {
    const name = options.name ?? (typeof model === 'string' ? model : 'the model');
    const native = sessionOptions(this.#device, this.#threads, options);
    let session: OnnxRuntime.InferenceSession;
    try {
      const create = (): Promise<OnnxRuntime.InferenceSession> =>
        typeof model === 'string'
          ? this.#ort.InferenceSession.create(model, native)
          : this.#ort.InferenceSession.create(model, native);
      session = await timed(this.track, 'create a session', create, 0, name);
    } catch (error) {
      throw new ModelError(`The engine can't load ${name}: ${(error as Error).message}`, { cause: error });
    }
    const id = this.#nextSession++;
    const info: SessionInfo = {
      id,
      name,
      inputs: session.inputMetadata.map((value) => valueInfo(value, name)),
      outputs: session.outputMetadata.map((value) => valueInfo(value, name)),
    };
    this.#sessions.set(id, { info, session, span: options.span ?? name });
    return info;
  }

  /** Frees a session and writes its profile, if it has one. */
  async release(id: SessionId): Promise<void> {
    const { session } = this.#loaded(id);
    this.#sessions.delete(id);
    session.endProfiling();
    await session.release();
  }

  put(tensors: Readonly<Record<string, Tensor>>): void {
    timedSync(this.track, 'place tensors', () => {
      for (const [name, value] of Object.entries(tensors)) this.#residents.set(name, this.#toEngine(value, name));
    });
  }

  /** Copies; the tensors stay. */
  get(names: readonly string[]): Record<string, Tensor> {
    return timedSync(this.track, 'copy tensors out', () =>
      Object.fromEntries(names.map((name) => [name, copied(fromEngine(this.#resident(name)))])),
    );
  }

  free(names: readonly string[]): void {
    for (const name of names) {
      this.#resident(name);
      this.#residents.delete(name);
    }
  }

  /** Runs one request after the other, each fully done before the next begins. */
  async run(requests: readonly RunRequest[], cancelled: Cancelled): Promise<Record<string, Tensor>[]> {
    const results: Record<string, Tensor>[] = [];
    for (const request of requests) {
      await stopIfCancelled(cancelled);
      const run = (): Promise<Record<string, Tensor>> => this.#runOne(request);
      results.push(
        this.track === undefined
          ? await run()
          : await timed(this.track, this.#loaded(request.session).span, run, rowsOf(request)),
      );
    }
    return results;
  }

  /** Milliseconds of each of `runs` runs of the same request, after `warmUp` that do not count. */
  async time(request: RunRequest, warmUp: number, runs: number, cancelled: Cancelled): Promise<number[]> {
    return timed(this.track, 'measure', () => this.#times(request, warmUp, runs, cancelled));
  }

  async #times(request: RunRequest, warmUp: number, runs: number, cancelled: Cancelled): Promise<number[]> {
    const { info, session } = this.#loaded(request.session);
    const feeds = this.#feeds(info, request);
    const times: number[] = [];
    for (let i = 0; i < warmUp + runs; i++) {
      await stopIfCancelled(cancelled);
      const start = performance.now();
      await this.#native(
        info,
        session,
        feeds,
        info.outputs.map((output) => output.name),
      );
      if (i >= warmUp) times.push(performance.now() - start);
    }
    return times;
  }

  async close(): Promise<void> {
    // A Map may lose entries while it is walked.
    for (const id of this.#sessions.keys()) await this.release(id);
    this.#residents.clear();
  }

  async #runOne(request: RunRequest): Promise<Record<string, Tensor>> {
    const { info, session } = this.#loaded(request.session);
    const feeds = timedSync(this.track, 'feed', () => this.#feeds(info, request));
    const kept = Object.keys(request.keep);
    checkOutputs(info.name, info.outputs, [...kept, ...request.fetch]);
    const wanted = [...new Set([...kept, ...request.fetch])];
    if (wanted.length === 0) throw new RangeError(`A run of ${info.name} must keep or fetch at least one output.`);
    const outputs = await this.#native(info, session, feeds, wanted);
    for (const [output, name] of Object.entries(request.keep)) this.#residents.set(name, outputs[output]!);
    return Object.fromEntries(
      request.fetch.map((output) => {
        const value = fromEngine(outputs[output]!);
        // What is fetched moves to the caller's thread; what is kept as well has to stay here.
        return [output, Object.hasOwn(request.keep, output) ? copied(value) : value];
      }),
    );
  }

  async #native(
    info: SessionInfo,
    session: OnnxRuntime.InferenceSession,
    feeds: Record<string, OnnxRuntime.Tensor>,
    outputs: readonly string[],
  ): Promise<Record<string, OnnxRuntime.Tensor>> {
    try {
      // Outputs allocated beforehand save nothing: the binding copies them into new ones all the same.
      return (await session.run(feeds, outputs)) as Record<string, OnnxRuntime.Tensor>;
    } catch (error) {
      const shapes = Object.entries(feeds).map(([name, value]) => `${name} ${value.type} [${value.dims}]`);
      const listed = shapes.length > 8 ? [...shapes.slice(0, 8), `${shapes.length - 8} more`] : shapes;
      throw new RunError(
        `The engine failed in ${info.name}: ${(error as Error).message} (fed with ${listed.join(', ')})`,
        { cause: error },
      );
    }
  }

  #feeds(info: SessionInfo, request: RunRequest): Record<string, OnnxRuntime.Tensor> {
    const feeds: Record<string, OnnxRuntime.Tensor> = {};
    for (const [input, value] of Object.entries(request.feeds)) feeds[input] = this.#toEngine(value, input);
    for (const [input, name] of Object.entries(request.resident)) {
      if (Object.hasOwn(feeds, input))
        throw new RangeError(`Input "${input}" of ${info.name} is both fed and taken from "${name}".`);
      feeds[input] = this.#resident(name);
    }
    checkInputs(
      info.name,
      info.inputs,
      new Map(Object.entries(feeds).map(([name, value]) => [name, { dtype: value.type, shape: value.dims }])),
    );
    return feeds;
  }

  #loaded(id: SessionId): Loaded {
    const loaded = this.#sessions.get(id);
    if (loaded === undefined) throw new RangeError(`Session ${id} was released, or is another engine's.`);
    return loaded;
  }

  #resident(name: string): OnnxRuntime.Tensor {
    const found = this.#residents.get(name);
    if (found === undefined)
      throw new RangeError(`No tensor "${name}" is in the engine${suggestion(name, this.#residents.keys())}.`);
    return found;
  }

  #toEngine(value: Tensor, name: string): OnnxRuntime.Tensor {
    if (value.dtype === 'bfloat16')
      throw new TypeError(`"${name}" is bfloat16, which the engine's binding has no type for.`);
    // The binding's constructor is overloaded by type; the pairing of type and array is ours.
    const Constructor = this.#ort.Tensor as new (
      dtype: DataType,
      data: TensorData,
      shape: readonly number[],
    ) => OnnxRuntime.Tensor;
    return new Constructor(value.dtype, value.data, value.shape);
  }
}

/** Images of a run: the rows of what is fed. */
function rowsOf({ feeds }: RunRequest): number {
  return Object.values(feeds).find(({ shape }) => shape.length > 0)?.shape[0] ?? 0;
}

/** Lets the thread take in messages first: a run blocks it, so a withdrawal may lie unread. */
async function stopIfCancelled(cancelled: Cancelled): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (cancelled()) throw new AbortedError('Stopped by the caller.');
}

function valueInfo(value: OnnxRuntime.InferenceSession.ValueMetadata, model: string): ValueInfo {
  if (!value.isTensor)
    throw new ModelError(`"${value.name}" of ${model} is a sequence or a map; only tensors can be run.`);
  return { name: value.name, dtype: value.type, shape: value.shape };
}

function fromEngine(value: OnnxRuntime.Tensor): Tensor {
  return { dtype: value.type, shape: [...value.dims], data: value.data as TensorData };
}

function copied(value: Tensor): Tensor {
  return { ...value, data: copyOf(value.data) };
}
