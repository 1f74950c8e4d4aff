import { AbortedError, FormatError, RunError } from '../core/errors.ts';
import { float32Scalar, tensor, zeros, type Tensor } from '../core/tensor.ts';
import type { DropoutMask } from '../autodiff/prepare.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import { slotName } from '../optim/transform.ts';
import { AVERAGE_SLOT } from '../optim/update.ts';
import type { Engine, RunOptions, Session } from '../runtime/engine.ts';
import { TRAINING_SESSION } from '../runtime/session-options.ts';
import type { TrainingState } from './checkpoint.ts';
import type { CompiledStep } from './compile-step.ts';
import { packMembers, unpackMembers, type Buffer } from './flat-buffers.ts';
import { STEP, targetInput } from './gradient-graph.ts';
import type { Objective } from './objective.ts';
import { objectiveOf } from './step-loss.ts';
import { expectTensor, joined, scalar, slice } from './step-tensors.ts';

/** One step's worth of N samples: micro-batch times passes of them. */
export interface StepBatch {
  /**
   * uint8 [N, h, w, 3] or float32 [N, ...shape], as the step was compiled for; of an objective with several rows a sample
   * [N rows, ...], the rows of a sample one after the other.
   */
  readonly images: Tensor;
  /** int64 [N] or float32 [N, K]. */
  readonly labels: Tensor;
  /** float32 [N], where the step was compiled for them. */
  readonly sampleWeights?: Tensor;
  /** float32 [N, ...]: what the objective takes beside labels, by name. */
  readonly targets?: Readonly<Record<string, Tensor>>;
}

export interface StepInput {
  readonly batch: StepBatch;
  /** Counted from 1, over the whole training. */
  readonly step: number;
  /** Learning rate of each group of parameters. */
  readonly rates: Readonly<Record<string, number>>;
  /** Fills a dropout mask for a pass, counted from 0. Needed where the network has dropout. */
  readonly drawMask?: (mask: DropoutMask, pass: number) => Float32Array;
}

export interface StepResult {
  /** Mean over the step's samples, before the update. */
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradientNorm: number;
  /** Of every row of images that the network sees, before the update: float32 [N rows, K]. */
  readonly logits: Float32Array;
  /** What the objective tells beside the loss; of several passes the mean. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** A loss or gradient that is not finite: the step was not taken, the state is that from before it. */
export class NotFiniteError extends RunError {
  override name = 'NotFiniteError';
}

type Run = RunOptions & { readonly session: Session };

interface Sessions {
  readonly prefix: Session | undefined;
  readonly pass: Session;
  /** Where a step has several passes. */
  readonly update: Session | undefined;
}

let instances = 0;

/**
 * A compiled step in the engine. Parameters, running statistics and the optimizer's state live there, in two
 * versions: a step reads one and writes the other, and only a step whose loss and gradients are finite
 * makes the new version the current one.
 */
export class TrainingStep {
  readonly compiled: CompiledStep;
  readonly #engine: Engine;
  readonly #sessions: Sessions;
  readonly #objective: Objective;
  readonly #prefix = `train${instances++}`;
  readonly #held = new Set<string>();
  /** Which of the two versions is current. */
  #version = 0;

  private constructor(engine: Engine, compiled: CompiledStep, sessions: Sessions) {
    this.#engine = engine;
    this.compiled = compiled;
    this.#sessions = sessions;
    this.#objective = objectiveOf(compiled.options.loss);
  }

  /**
   * Loads the graphs and places the state in the engine.
   * @param state to continue from; what it lacks starts as the graph has it (parameters, statistics), at zero or
   * at the parameter (the optimizer's)
   * @throws FormatError where a tensor of the state has another shape than the graph's.
   */
  static async open(engine: Engine, compiled: CompiledStep, state?: TrainingState): Promise<TrainingStep> {
    const extra = {
      ...TRAINING_SESSION.extra,
      // It fails on a Reshape to a shape that is computed, which recomputation has.
      ...(compiled.options.recompute !== undefined && {
        'optimization.disable_specified_optimizers': 'ReshapeFusion',
      }),
    };
    const options = { ...TRAINING_SESSION, transfer: true, extra };
    const load = (graph: Graph, span: string): Promise<Session> =>
      engine.load(writeModel({ graph }), { name: graph.name, span, ...options });
    const step = new TrainingStep(engine, compiled, {
      prefix: compiled.prefix && (await load(compiled.prefix, 'prefix')),
      pass: await load(compiled.pass, 'pass'),
      update: compiled.update && (await load(compiled.update, 'update')),
    });
    try {
      await step.setState(state);
    } catch (error) {
      await step.release();
      throw error;
    }
    return step;
  }

  /** Samples a step. */
  get batchSize(): number {
    const { microBatch, microBatches = 1 } = this.compiled.options;
    return microBatch * microBatches;
  }

  /**
   * Takes one step.
   * @throws NotFiniteError where loss or gradients are not finite: nothing has changed then.
   * @throws RangeError for a batch of another size or a label out of range; AbortedError between passes.
   */
  async run(input: StepInput, signal?: AbortSignal): Promise<StepResult> {
    if (signal?.aborted) throw new AbortedError('Training was stopped.');
    const { compiled } = this;
    const { batch } = input;
    const { microBatches = 1, sampleWeights } = compiled.options;
    this.#checkBatch(batch);
    const scale =
      1 / this.#objective.divisor(batch.labels, compiled.classes, sampleWeights ? batch.sampleWeights : undefined);
    const optimizerFeeds = this.#optimizerFeeds(input);
    const { prefix, update } = this.#sessions;
    const runs: Run[] = [];
    for (let pass = 0; pass < microBatches; pass++) {
      if (prefix !== undefined) runs.push(this.#prefixRun(prefix, input, pass));
      runs.push(this.#passRun(input, pass, scale, optimizerFeeds));
    }
    if (update !== undefined) runs.push(this.#updateRun(update, optimizerFeeds));
    // One message for the whole step: it is taken as a whole or not at all.
    const results = await this.#engine.runAll(runs);
    for (const run of runs) for (const name of Object.values(run.keep ?? {})) this.#held.add(name);

    const passes = results.filter((_, i) => runs[i]!.session === this.#sessions.pass);
    const loss = passes.reduce((sum, result) => sum + scalar(result[STEP.loss]!), 0);
    const gradientNorm = scalar(results.at(-1)![compiled.names.gradientNorm]!);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
      throw new NotFiniteError(
        Number.isFinite(loss) ? `The gradient is not finite (its norm is ${gradientNorm}).` : `The loss is ${loss}.`,
      );
    this.#version = 1 - this.#version;
    const metrics = [...compiled.metrics].map(([name, output]) => {
      return [name, passes.reduce((sum, result) => sum + scalar(result[output]!), 0) / microBatches] as const;
    });
    return {
      loss,
      gradientNorm,
      logits: joined(passes.map((result) => result[STEP.logits]!)),
      metrics: Object.fromEntries(metrics),
    };
  }

  /** Copies of everything, in the parameters' own shapes. */
  async state(): Promise<TrainingState> {
    return (await this.snapshot())();
  }

  /** As `state`, copied now, and put into the parameters' own shapes, which takes a while, when it is called. */
  async snapshot(): Promise<() => TrainingState> {
    const { parameters, statistics, names, layouts } = this.compiled;
    const buffers = [...parameters, ...statistics];
    const slots = [...names.state.keys()];
    const at = new Map([...buffers.map(({ name }) => name), ...slots].map((name) => [name, this.#current(name)]));
    const read = await this.#engine.get([...at.values()]);
    const members = (buffer: Buffer, name: string): [string, Tensor][] =>
      [...unpackMembers(buffer, read[at.get(name)!]!)].map(([member, value]) => [
        member,
        layouts.get(member)?.unpack(value) ?? value,
      ]);
    const ofSlot = (input: string): [string, Tensor][] => {
      const [slot, owner] = slotAndOwner(input);
      return members(this.#buffer(owner), input).map(([member, value]) => [slotName(slot, member), value]);
    };
    return () => ({
      parameters: new Map(parameters.flatMap((buffer) => members(buffer, buffer.name))),
      buffers: new Map(statistics.flatMap((buffer) => members(buffer, buffer.name))),
      optimizer: new Map(slots.flatMap(ofSlot)),
    });
  }

  /** Replaces everything; see `open`. */
  async setState(state?: TrainingState): Promise<void> {
    const { initial, names, parameters, statistics } = this.compiled;
    const values: Record<string, Tensor> = {};
    const place = (input: string, buffer: Buffer, find: (member: string) => [name: string, value: Tensor]): void => {
      const packed = buffer.members.map(({ name: member }) => {
        const [name, value] = find(member);
        const own = this.#ownShape(member);
        if (String(value.shape) !== String(own) || value.dtype !== 'float32')
          throw new FormatError(
            `"${name}" is ${value.dtype} [${value.shape}] in the state, the network has float32 [${own}].`,
          );
        return [member, this.compiled.layouts.get(member)?.pack(value) ?? value] as const;
      });
      values[this.#current(input)] = packMembers(buffer, new Map(packed));
    };
    const start = new Map([...initial.parameters, ...initial.buffers]);
    for (const [name, value] of state?.parameters ?? []) if (initial.parameters.has(name)) start.set(name, value);
    for (const [name, value] of state?.buffers ?? []) if (initial.buffers.has(name)) start.set(name, value);
    for (const buffer of [...parameters, ...statistics])
      place(buffer.name, buffer, (member) => [member, start.get(member)!]);
    for (const input of names.state.keys()) {
      const [slot, owner] = slotAndOwner(input);
      place(input, this.#buffer(owner), (member) => {
        const name = slotName(slot, member);
        const fresh = slot === AVERAGE_SLOT ? start.get(member)! : zeros('float32', this.#ownShape(member));
        return [name, state?.optimizer.get(name) ?? fresh];
      });
    }
    for (const { shape } of this.compiled.sums) values[this.#zeros(shape)] ??= zeros('float32', shape);
    await this.#engine.put(values);
    for (const name of Object.keys(values)) this.#held.add(name);
  }

  /** Frees the sessions and the state. */
  async release(): Promise<void> {
    await this.#sessions.prefix?.release();
    await this.#sessions.pass.release();
    await this.#sessions.update?.release();
    await this.#engine.free([...this.#held]);
    this.#held.clear();
  }

  #prefixRun(session: Session, { batch }: StepInput, pass: number): Run {
    const { prefix } = this.compiled;
    return {
      session,
      feeds: { [prefix!.inputs[0]!.name]: this.#images(batch, pass) },
      keep: { [prefix!.outputs[0]!.name]: this.#frozen },
    };
  }

  #passRun(input: StepInput, pass: number, scale: number, optimizerFeeds: Readonly<Record<string, Tensor>>): Run {
    const { compiled } = this;
    const { labels, sampleWeights } = input.batch;
    const feeds: Record<string, Tensor> = {
      [STEP.labels]: this.#rows(labels, pass),
      [STEP.lossScale]: float32Scalar(scale),
    };
    if (compiled.prefix === undefined) feeds[STEP.images] = this.#images(input.batch, pass);
    if (compiled.options.sampleWeights) feeds[STEP.sampleWeights] = this.#rows(sampleWeights!, pass);
    for (const mask of compiled.masks) {
      if (input.drawMask === undefined)
        throw new TypeError(`The network has dropout; its mask "${mask.input}" must be drawn.`);
      feeds[mask.input] = tensor('float32', mask.shape, input.drawMask(mask, pass));
    }
    const resident: Record<string, string> = {};
    const keep: Record<string, string> = {};
    if (compiled.prefix !== undefined) resident[STEP.images] = this.#frozen;
    for (const { name } of compiled.parameters) resident[name] = this.#current(name);
    for (const { name, output } of compiled.statistics) {
      // Each pass goes on from the statistics that the one before it left.
      resident[name] = pass === 0 ? this.#current(name) : this.#next(name);
      keep[output] = this.#next(name);
    }
    for (const { name, shape, input: sum, output } of compiled.sums) {
      resident[sum] = pass === 0 ? this.#zeros(shape) : this.#sum(name);
      keep[output] = this.#sum(name);
    }
    for (const name of this.#objective.targets.keys())
      feeds[targetInput(name)] = this.#rows(input.batch.targets![name]!, pass);
    const fetch: string[] = [STEP.loss, STEP.logits, ...compiled.metrics.values()];
    if (this.#sessions.update === undefined) {
      Object.assign(feeds, optimizerFeeds);
      this.#addOptimizer(resident, keep, fetch);
    }
    return { session: this.#sessions.pass, feeds, resident, keep, fetch };
  }

  #updateRun(session: Session, feeds: Readonly<Record<string, Tensor>>): Run {
    const { compiled } = this;
    const resident: Record<string, string> = {};
    const keep: Record<string, string> = {};
    const fetch: string[] = [];
    for (const { name } of compiled.parameters) resident[name] = this.#current(name);
    for (const { name, input } of compiled.sums) resident[input] = this.#sum(name);
    if (compiled.options.averageDecay !== undefined)
      for (const { name } of compiled.statistics) resident[name] = this.#next(name);
    this.#addOptimizer(resident, keep, fetch);
    return { session, feeds, resident, keep, fetch };
  }

  #addOptimizer(resident: Record<string, string>, keep: Record<string, string>, fetch: string[]): void {
    const { names } = this.compiled;
    for (const [input, output] of names.state) {
      resident[input] = this.#current(input);
      keep[output] = this.#next(input);
    }
    for (const [name, output] of names.parameters) keep[output] = this.#next(name);
    fetch.push(names.gradientNorm);
  }

  #optimizerFeeds({ step, rates }: StepInput): Record<string, Tensor> {
    const { names } = this.compiled;
    const feeds: Record<string, Tensor> = {};
    for (const [input, at] of Object.entries(names.scalars)) feeds[input] = float32Scalar(at(step));
    for (const [group, input] of names.rates) {
      const rate = rates[group];
      if (rate === undefined) throw new RangeError(`There is no learning rate for the group "${group}".`);
      feeds[input] = float32Scalar(rate);
    }
    return feeds;
  }

  #checkBatch({ images, labels, sampleWeights, targets }: StepBatch): void {
    const { compiled, batchSize } = this;
    expectTensor('images', images, compiled.images.dtype, [batchSize * this.#objective.rows, ...compiled.images.shape]);
    if (compiled.options.labels === 'indices') expectTensor('labels', labels, 'int64', [batchSize]);
    else expectTensor('labels', labels, 'float32', [batchSize, compiled.classes]);
    if (compiled.options.sampleWeights) expectTensor('sample weights', sampleWeights, 'float32', [batchSize]);
    for (const [name, shape] of this.#objective.targets)
      expectTensor(`the target "${name}"`, targets?.[name], 'float32', [batchSize, ...shape]);
  }

  /** A pass' share of a step's samples. */
  #rows(value: Tensor, pass: number): Tensor {
    const { microBatch } = this.compiled.options;
    return slice(value, pass * microBatch, microBatch);
  }

  /** A pass' share of the images: samples stay whole. */
  #images({ images }: StepBatch, pass: number): Tensor {
    const rows = this.compiled.options.microBatch * this.#objective.rows;
    return slice(images, pass * rows, rows);
  }

  /** Where the frozen part of the network leaves what a pass takes. */
  get #frozen(): string {
    return `${this.#prefix}/frozen`;
  }

  #buffer(name: string): Buffer {
    const { parameters, statistics } = this.compiled;
    return [...parameters, ...statistics].find((buffer) => buffer.name === name)!;
  }

  #ownShape(name: string): readonly number[] {
    const { initial } = this.compiled;
    return (initial.parameters.get(name) ?? initial.buffers.get(name))!.shape;
  }

  #current(name: string): string {
    return `${this.#prefix}/${this.#version}/${name}`;
  }

  #next(name: string): string {
    return `${this.#prefix}/${1 - this.#version}/${name}`;
  }

  #sum(name: string): string {
    return `${this.#prefix}/sum/${name}`;
  }

  #zeros(shape: readonly number[]): string {
    return `${this.#prefix}/zeros/${shape.join('x')}`;
  }
}

/** `momentum` and `fc.weight` of `momentum/fc.weight`. */
function slotAndOwner(input: string): [string, string] {
  const at = input.indexOf('/');
  return [input.slice(0, at), input.slice(at + 1)];
}
