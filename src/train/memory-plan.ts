import { InputError } from '../core/errors.ts';
import { bytesPerElement, sizeOf } from '../core/tensor.ts';
import { consumers, type Graph, type Shape, type TensorType } from '../onnx/graph.ts';
import { compileStep, type CompiledStep } from './compile-step.ts';
import type { StepOptions } from './step-options.ts';

/** The engine's own: kernels, threads, buffers for packing, and what its arena loses between tensors. */
const ENGINE_BYTES = 200 * 2 ** 20;
/**
 * The engine runs nodes in an order of its own and its arena grows by doubling. Measured on MobileNetV2 with
 * passes of 8 and 32 images, plain and blocked: 2.0 to 2.3.
 */
const ARENA_FACTOR = 2.25;
/** Share of what is free that may be planned with: other programs go on, too. */
const USABLE = 0.8;

export interface PassPlan {
  readonly microBatch: number;
  readonly microBatches: number;
  /** Estimated, of a step. */
  readonly bytes: number;
  /** Where passes were made smaller: what was done and why, to be shown and recorded. */
  readonly note?: string;
}

export interface PlanPassesOptions {
  readonly availableBytes: number;
  /** Lets passes be made smaller although their batch statistics are then those of fewer images. Default false. */
  readonly allowSmallerStatistics?: boolean;
}

/**
 * Before anything runs, makes the passes of a step small enough for the memory there is: more passes of fewer
 * images, whose gradients are summed. With frozen statistics the result is the same but for rounding.
 * @throws InputError where not even one image a pass fits, or where batch statistics would change and it was not allowed.
 */
export function planPasses(
  options: StepOptions,
  { availableBytes, allowSmallerStatistics = false }: PlanPassesOptions,
): PassPlan {
  const wanted = options.microBatch;
  const total = wanted * (options.microBatches ?? 1);
  const usable = availableBytes * USABLE;
  let asked: number | undefined;
  for (let microBatch = wanted; microBatch >= 1; microBatch = nextSmaller(microBatch, total)) {
    const compiled = compileStep({ ...options, microBatch, microBatches: total / microBatch });
    const bytes = stepBytes(compiled);
    asked ??= bytes;
    if (bytes <= usable) {
      const plan = { microBatch, microBatches: total / microBatch, bytes };
      if (microBatch === wanted) return plan;
      return {
        ...plan,
        note:
          `A pass of ${wanted} images needs about ${megabytes(asked)}, ${megabytes(availableBytes)} are free: ` +
          `${plan.microBatches} passes of ${microBatch} a step, their gradients summed (about ${megabytes(bytes)}).`,
      };
    }
    if (compiled.statistics.length > 0 && !allowSmallerStatistics)
      throw new InputError(
        `A pass of ${microBatch} images needs about ${megabytes(bytes)}, ${megabytes(availableBytes)} are free. Smaller passes would ` +
          'normalise by the statistics of fewer images: choose a smaller --batch-size, or --batch-norm frozen.',
      );
    if (microBatch === 1)
      throw new InputError(
        `Training needs about ${megabytes(bytes)} even with one image a pass, ${megabytes(availableBytes)} are free.`,
      );
  }
  throw new InputError(`A batch of ${wanted} images can't be planned.`);
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;

/** The largest divisor of `total` below `current`, at most half of it where there is one. */
function nextSmaller(current: number, total: number): number {
  for (let size = Math.floor(current / 2); size >= 1; size--) if (total % size === 0) return size;
  return 0;
}

/** What a step takes at its height, estimated from the graphs: the state twice, gradient sums, a pass' own tensors. */
export function stepBytes(compiled: CompiledStep): number {
  const { prefix, pass, update, names, parameters, statistics, sums } = compiled;
  const weights = 4 * parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let state = weights + 4 * statistics.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  for (const { name, type } of (update ?? pass).inputs) if (names.state.has(name)) state += bytesOf(type);
  const summed = sums.size === 0 ? 0 : weights;
  const constants = [...pass.initializers.values()].reduce((sum, value) => sum + bytesOf(value), 0);
  const height = Math.max(...[prefix, pass, update].map((graph) => (graph === undefined ? 0 : peakBytes(graph))));
  return Math.round(ENGINE_BYTES + 2 * state + 2 * summed + constants + ARENA_FACTOR * height);
}

/**
 * The most bytes that the values of a graph take at once, beside its inputs and initializers, where each is
 * freed after its last reader and nodes run in their order.
 */
export function peakBytes(graph: Graph): number {
  const readersLeft = new Map([...consumers(graph)].map(([name, nodes]) => [name, nodes.length]));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  const bytes = (name: string): number => bytesOf(graph.types.get(name));
  let live = 0;
  let peak = 0;
  for (const node of graph.nodes) {
    const made = node.outputs.filter((name) => name !== '');
    for (const name of made) live += bytes(name);
    peak = Math.max(peak, live);
    for (const name of new Set(node.inputs)) {
      if (name === '' || given.has(name)) continue;
      const left = readersLeft.get(name)! - 1;
      readersLeft.set(name, left);
      if (left === 0 && !outputs.has(name)) live -= bytes(name);
    }
    for (const name of made) if (!readersLeft.has(name) && !outputs.has(name)) live -= bytes(name);
  }
  return peak;
}

function bytesOf(type: (Pick<TensorType, 'dtype'> & { readonly shape: Shape | undefined }) | undefined): number {
  if (type?.shape === undefined || type.dtype === 'string' || type.shape.some((side) => typeof side === 'string'))
    return 0;
  return bytesPerElement(type.dtype) * sizeOf(type.shape as readonly number[]);
}
