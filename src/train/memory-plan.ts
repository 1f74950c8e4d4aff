import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/tensor.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import { compileStep, type CompiledStep } from './compile-step.ts';
import { objectiveOf } from './step-loss.ts';
import type { StepOptions } from './step-options.ts';
import { valueBytes } from './value-bytes.ts';

/** The program with its engine, kernels, threads, and the buffers in which products are packed. */
const BASE_BYTES = 200 * 2 ** 20;
/**
 * The state is there in two versions, the new one also in the engine until it is copied out, and old ones until they are
 * collected.
 */
const STATE_FACTOR = 6;
/**
 * What the engine's arena takes for values that need one byte at their height; more with recomputation, which allocates
 * in turns. Chosen so that no row of bench/memory takes more than is estimated: they take 0.68 to 0.96 of it.
 */
const ARENA_FACTOR = 1.25;
const RECOMPUTING_ARENA_FACTOR = 2;
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
  const views = objectiveOf(options.loss).rows;
  const images = (count: number): string => `${count} images${views === 1 ? '' : ` in ${views} views each`}`;
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
          `A pass of ${images(wanted)} needs about ${megabytes(asked)}, ${megabytes(availableBytes)} are free: ` +
          `${plan.microBatches} passes of ${microBatch} a step, their gradients summed (about ${megabytes(bytes)}).`,
      };
    }
    if (compiled.statistics.length > 0 && !allowSmallerStatistics)
      throw new InputError(
        `A pass of ${images(microBatch)} needs about ${megabytes(bytes)}, ${megabytes(availableBytes)} are free. Smaller passes would ` +
          'normalise by the statistics of fewer images: choose --recompute 1, a smaller --batch-size, or --batch-norm frozen.',
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

/** What a step takes at its height, estimated from the graphs: the state, gradient sums, and values that live at once. */
export function stepBytes(compiled: CompiledStep): number {
  const { prefix, pass, update, names, parameters, statistics, sums, options } = compiled;
  const weights = 4 * parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let state = weights + 4 * statistics.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  for (const { name, type } of (update ?? pass).inputs) if (names.state.has(name)) state += valueBytes(type);
  const summed = sums.length === 0 ? 0 : weights;
  const height = Math.max(...[prefix, pass, update].map((graph) => (graph === undefined ? 0 : peakBytes(graph))));
  const factor = options.recompute === undefined ? ARENA_FACTOR : RECOMPUTING_ARENA_FACTOR;
  return Math.round(BASE_BYTES + STATE_FACTOR * state + 2 * summed + constantBytes(pass) + factor * height);
}

/** What a graph takes beside it for inference on `count` images, estimated: its weights, and values that live at once. */
export function inferenceBytes(graph: Graph, count: number): number {
  const inputs = graph.inputs.map(({ name, type }) => [name, [count, ...(type.shape!.slice(1) as number[])]] as const);
  const fixed = specialize(graph, { inputs: Object.fromEntries(inputs) });
  return Math.round(constantBytes(fixed) + ARENA_FACTOR * peakBytes(fixed));
}

function constantBytes({ initializers }: Graph): number {
  return [...initializers.values()].reduce((sum, value) => sum + valueBytes(value), 0);
}

/** Ops whose output is their first input under another shape. */
const VIEWS = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity']);

/**
 * The most bytes that the values of a graph take at once, beside its inputs and initializers, where each is
 * freed after its last reader and nodes run in the engine's order.
 */
export function peakBytes(graph: Graph): number {
  const nodes = executionOrder(graph);
  // A view is its origin: that is free once nothing reads either.
  const origin = new Map<string, string>();
  const originOf = (name: string): string => origin.get(name) ?? name;
  for (const { opType, inputs, outputs } of nodes) if (VIEWS.has(opType)) origin.set(outputs[0]!, originOf(inputs[0]!));
  const readersLeft = new Map<string, number>();
  const inputsOf = (node: Node): Set<string> => new Set(node.inputs.filter((name) => name !== '').map(originOf));
  for (const node of nodes) for (const name of inputsOf(node)) readersLeft.set(name, (readersLeft.get(name) ?? 0) + 1);
  const kept = new Set(graph.outputs.map(({ name }) => originOf(name)));
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  let live = 0;
  let peak = 0;
  for (const node of nodes) {
    const made = node.outputs.filter((name) => name !== '' && originOf(name) === name);
    for (const name of made) live += valueBytes(graph.types.get(name));
    peak = Math.max(peak, live);
    for (const name of inputsOf(node)) {
      const left = readersLeft.get(name)! - 1;
      readersLeft.set(name, left);
      if (left === 0 && !kept.has(name) && !given.has(name)) live -= valueBytes(graph.types.get(name));
    }
    for (const name of made) if (!readersLeft.has(name) && !kept.has(name)) live -= valueBytes(graph.types.get(name));
  }
  return peak;
}

/**
 * The order in which ONNX Runtime runs nodes: depth first from those that nothing reads, the last of them first, and
 * of what a node reads again the last first (`GraphViewer`, default order).
 */
export function executionOrder(graph: Graph): Node[] {
  const makers = new Map<string, number>();
  for (const [i, node] of graph.nodes.entries())
    for (const output of node.outputs) if (output !== '') makers.set(output, i);
  const needs = graph.nodes.map((node) =>
    [...new Set(node.inputs.flatMap((name) => makers.get(name) ?? []))].toSorted((a, b) => a - b),
  );
  const isRead = new Set(needs.flat());
  const stack = [...graph.nodes.keys()].filter((i) => !isRead.has(i)).map((i) => ({ i, isLeft: false }));
  const order: Node[] = [];
  const visited = new Set<number>();
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top.isLeft) order.push(graph.nodes[top.i]!);
    if (top.isLeft || visited.has(top.i)) continue;
    visited.add(top.i);
    stack.push({ i: top.i, isLeft: true });
    for (const i of needs[top.i]!) if (!visited.has(i)) stack.push({ i, isLeft: false });
  }
  return order;
}
