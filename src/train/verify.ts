import { InputError } from '../core/errors.ts';
import type { Safetensors } from '../core/safetensors.ts';
import { float32Scalar, toNumbers, type Tensor } from '../core/tensor.ts';
import { trainableParameters } from '../autodiff/parameters.ts';
import type { Target } from '../lowering/target.ts';
import type { Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Engine } from '../runtime/engine.ts';
import { compileStep } from './compile-step.ts';
import type { StepOptions } from './step-options.ts';
import { gradientGraph, STEP } from './gradient-graph.ts';
import { TrainingStep } from './training-step.ts';

/** Largest relative errors against recorded values; null where the file records none. */
export interface VerifyResult {
  /** Largest difference over the largest value. */
  readonly logits: number | null;
  readonly loss: number | null;
  /** |g - g'| / max(|g'|, 1e-4 |all gradients of the file together|), norms of 2. */
  readonly worstGradient: number | null;
  /** The initializer of that gradient. */
  readonly worstGradientName: string | null;
  /** Of the losses before each step of SGD. */
  readonly steps: number | null;
  /** |b - b'| / |b'| of the running statistics after these steps. */
  readonly buffers: number | null;
  readonly pass: boolean;
  /** What a reader of these numbers should know, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * The largest errors that pass. Batch statistics amplify differences from step to step; where the recorded losses
 * have drifted from ours by more than `steps`, so may the statistics, which come from the same steps.
 */
export const VERIFY_LIMITS = {
  logits: 1e-4,
  loss: 1e-4,
  worstGradient: 1e-3,
  steps: 1e-3,
  buffers: 1e-3,
  batchStatistics: { steps: 1e-2, driftedBuffers: 1e-2 },
} as const;

/** The recorded steps: SGD with this learning rate, momentum, Nesterov, and decay of every parameter. */
const STEPS_KEY = 'loss_sgd_lr0.01_m0.9_nesterov_wd5e-4';
const SGD = { name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 5e-4 } as const;
const RATE = 0.01;

/**
 * Checks the engine against what another framework computed on a model: forward, gradients, steps of SGD,
 * running statistics. Normalisations and dropout are as the file's `training_mode` says.
 * @param graph a network with one input and logits [N, K] among its outputs
 * @param expected tensors `input`, `labels`, `logits`, `loss`, `grad/<initializer>`, `buffer_after_5/<name>` and the
 * losses of the steps; what is absent is not checked
 * @throws InputError where the file does not fit the model.
 * @example
 * const { pass, worstGradient } = await verifyModel(engine, model.graph, await readSafetensorsFile(file), { kind: 'plain' });
 */
export async function verifyModel(
  engine: Engine,
  graph: Graph,
  expected: Pick<Safetensors, 'tensors'>,
  target: Target,
): Promise<VerifyResult> {
  const { tensors } = expected;
  const input = tensors.get('input');
  if (input === undefined) throw new InputError('The recorded values have no tensor "input" to run the model on.');
  if (graph.inputs.length !== 1)
    throw new InputError(`Only models with one input can be verified, this has ${graph.inputs.length}.`);
  const labels = tensors.get('labels');
  const gradients = withPrefix(tensors, 'grad/');
  const buffers = withPrefix(tensors, 'buffer_after_5/');
  const logits = logitsOutput(graph);
  const names = gradients.size > 0 ? [...gradients.keys()] : trainableParameters(graph, logits);
  for (const name of names)
    if (!graph.initializers.has(name))
      throw new InputError(`The recorded values have a gradient of "${name}", which the model has not.`);
  const options: StepOptions = {
    graph,
    input: graph.inputs[0]!.name,
    logits,
    images: { kind: 'values', shape: input.shape.slice(1) },
    labels: 'indices',
    loss: { name: 'cross-entropy' },
    parameters: names.map((name) => ({ name, group: 'all', decay: true })),
    microBatch: input.shape[0]!,
    batchNorm: 'as-is',
    dropout: 'as-is',
    optimizer: SGD,
    target,
  };
  // Forward alone needs labels too; without them nothing but the logits is compared.
  const batch = { images: input, labels: labels ?? noLabels(input.shape[0]!) };
  const first = await onePass(engine, options, names, batch);
  const steps = labels === undefined ? undefined : tensors.get(STEPS_KEY);
  const needsSteps = steps !== undefined || (labels !== undefined && buffers.size > 0);
  const run = needsSteps ? await takeSteps(engine, options, batch, steps?.data.length ?? 5, buffers) : undefined;

  const worst = worstGradient(first.gradients, gradients);
  const loss = labels && tensors.get('loss');
  const measured = {
    logits: compared(tensors.get('logits'), (value) => largestError(toNumbers(first.logits), toNumbers(value))),
    loss: compared(loss, (value) => relative(first.loss, toNumbers(value)[0]!)),
    worstGradient: labels === undefined ? null : worst.error,
    steps: compared(steps, (value) =>
      Math.max(...toNumbers(value).map((wanted, i) => relative(run!.losses[i]!, wanted))),
    ),
    buffers: run?.bufferError ?? null,
  };
  const notes = [...(run?.notes ?? [])];
  const { batchStatistics, ...limits } = VERIFY_LIMITS;
  const allowed: Record<keyof typeof measured, number> = { ...limits };
  if (run?.hasBatchStatistics) {
    allowed.steps = batchStatistics.steps;
    if (measured.steps !== null && measured.steps > limits.steps) {
      allowed.buffers = batchStatistics.driftedBuffers;
      notes.push(
        `The recorded losses drift from ours by ${measured.steps.toPrecision(2)}; the statistics may differ by as much as steps may.`,
      );
    }
  }
  const keys = Object.keys(measured) as (keyof typeof measured)[];
  const pass = keys.every((key) => measured[key] === null || measured[key] <= allowed[key]);
  return { ...measured, worstGradientName: measured.worstGradient === null ? null : worst.name, pass, notes };
}

type Batch = { readonly images: Tensor; readonly labels: Tensor };

async function onePass(
  engine: Engine,
  options: StepOptions,
  names: readonly string[],
  batch: Batch,
): Promise<{ logits: Tensor; loss: number; gradients: Map<string, Tensor> }> {
  const { graph, gradients, layouts, initial } = gradientGraph(options, names);
  const session = await engine.load(writeModel({ graph }), { name: graph.name });
  try {
    const feeds: Record<string, Tensor> = {
      [STEP.images]: batch.images,
      [STEP.labels]: batch.labels,
      [STEP.lossScale]: float32Scalar(1 / options.microBatch),
    };
    for (const [name, value] of initial.parameters) feeds[name] = layouts.get(name)!.pack(value);
    for (const [name, value] of initial.buffers) feeds[name] = value;
    const outputs = await engine.run(session, { feeds, fetch: [STEP.logits, STEP.loss, ...gradients.values()] });
    return {
      logits: outputs[STEP.logits]!,
      loss: toNumbers(outputs[STEP.loss]!)[0]!,
      gradients: new Map([...gradients].map(([name, output]) => [name, layouts.get(name)!.unpack(outputs[output]!)])),
    };
  } finally {
    await session.release();
  }
}

interface Steps {
  /** Before each step. */
  readonly losses: readonly number[];
  readonly bufferError: number | null;
  readonly hasBatchStatistics: boolean;
  readonly notes: readonly string[];
}

async function takeSteps(
  engine: Engine,
  options: StepOptions,
  batch: Batch,
  count: number,
  recorded: ReadonlyMap<string, Tensor>,
): Promise<Steps> {
  const step = await TrainingStep.open(engine, compileStep(options));
  try {
    const run = async (afterFirst?: () => Promise<void>): Promise<{ losses: number[]; error: number | null }> => {
      const losses: number[] = [];
      for (let i = 1; i <= count; i++) {
        losses.push((await step.run({ batch, step: i, rates: { all: RATE } })).loss);
        if (i === 1) await afterFirst?.();
      }
      const { buffers } = await step.state();
      const errors = [...recorded].map(([name, value]) => normError(buffers.get(name), value, 0));
      return { losses, error: errors.length === 0 ? null : Math.max(...errors) };
    };
    const { losses, error } = await run();
    const hasBatchStatistics = step.compiled.statistics.length > 0;
    if (error === null || error <= VERIFY_LIMITS.buffers)
      return { losses, bufferError: error, hasBatchStatistics, notes: [] };
    // PyTorch's exporter runs a model once while it writes it, which in training mode moves the statistics: the
    // file then starts where the recorded run was after its first step.
    await step.setState();
    const again = await run(async () =>
      step.setState({ ...(await step.state()), buffers: step.compiled.initial.buffers }),
    );
    if (again.error! >= error) return { losses, bufferError: error, hasBatchStatistics, notes: [] };
    const note =
      "The model's running statistics already hold the first batch (as after an export in training mode); it was not counted twice.";
    return { losses, bufferError: again.error, hasBatchStatistics, notes: [note] };
  } finally {
    await step.release();
  }
}

function worstGradient(
  actual: ReadonlyMap<string, Tensor>,
  expected: ReadonlyMap<string, Tensor>,
): { name: string | null; error: number | null } {
  const together = Math.hypot(...[...expected.values()].map((value) => norm(toNumbers(value))));
  let worst: { name: string | null; error: number | null } = { name: null, error: null };
  for (const [name, value] of expected) {
    const error = normError(actual.get(name), value, 1e-4 * together);
    if (worst.error === null || error > worst.error) worst = { name, error };
  }
  return worst;
}

/** |a - b| / max(|b|, floor), norms of 2. */
function normError(actual: Tensor | undefined, expected: Tensor, floor: number): number {
  if (actual === undefined) return Number.MAX_VALUE;
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  if (a.length !== b.length) return Number.MAX_VALUE;
  return finite(norm(a.map((x, i) => x - b[i]!)) / Math.max(norm(b), floor));
}

function largestError(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.MAX_VALUE;
  const difference = Math.max(...actual.map((x, i) => Math.abs(x - expected[i]!)));
  return finite(difference / Math.max(...expected.map(Math.abs)));
}

const relative = (actual: number, expected: number): number => finite(Math.abs(actual - expected) / Math.abs(expected));

/** A number that JSON has, and that passes no limit. */
const finite = (error: number): number => (Number.isFinite(error) ? error : Number.MAX_VALUE);

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function compared(value: Tensor | undefined, error: (value: Tensor) => number): number | null {
  return value === undefined ? null : error(value);
}

function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map(
    [...tensors].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
  );
}

/** The output called `logits`, or the only one of rank 2. */
function logitsOutput(graph: Graph): string {
  const named = graph.outputs.find(({ name }) => name === 'logits');
  const flat = graph.outputs.filter(({ type }) => type.shape?.length === 2);
  const found = named ?? (flat.length === 1 ? flat[0] : undefined);
  if (found === undefined)
    throw new InputError(
      `Which output holds the logits? Expected one named "logits" or one of shape [N, K], found ${graph.outputs.map(({ name, type }) => `"${name}" [${type.shape ?? '?'}]`).join(', ')}.`,
    );
  return found.name;
}

function noLabels(count: number): Tensor {
  return { dtype: 'int64', shape: [count], data: new BigInt64Array(count) };
}
