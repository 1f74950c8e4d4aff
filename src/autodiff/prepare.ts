import { toNumbers } from '../core/tensor.ts';
import { attribute, consumers, type Graph, type Node } from '../onnx/graph.ts';
import {
  batchStatistics,
  foldableConvolution,
  foldedConvolution,
  scaledAndShifted,
  type BufferUpdate,
} from './batch-norm.ts';
import { foldPadding } from './fold-padding.ts';
import { Splicer } from './splice.ts';

/**
 * How a BatchNormalization is trained: `frozen` normalises by its running statistics, which do not
 * move; `batch` by the statistics of each batch, moving the running ones; `as-is` is `batch` where
 * the node's `training_mode` is 1, and leaves the node alone where it is 0.
 */
export type BatchNormMode = 'frozen' | 'batch' | 'as-is';

/** `remove` passes everything, `mask` multiplies by a graph input, `as-is` is `mask` where `training_mode` is true, else `remove`. */
export type DropoutMode = 'remove' | 'mask' | 'as-is';

export interface PrepareOptions {
  /** One mode, or one for each node (frozen layers keep their statistics). Default `as-is`. */
  readonly batchNorm?: BatchNormMode | ((node: Node) => BatchNormMode);
  /** Default `as-is`. */
  readonly dropout?: DropoutMode | ((node: Node) => DropoutMode);
  /** Weight of the batch in the running statistics, 0..1; default: 1 minus the node's own `momentum` (ONNX's is the weight of the old). */
  readonly momentum?: number;
  /** The running variance takes the `unbiased` one of the batch, n/(n-1), as PyTorch does (default), or the `biased` one, as ONNX's own op does. */
  readonly runningVariance?: 'unbiased' | 'biased';
}

/** A graph input to be filled anew for each step: 0 with probability `rate`, else 1 / (1 - rate). */
export interface DropoutMask {
  readonly input: string;
  readonly shape: readonly number[];
  readonly rate: number;
}

export interface PreparedGraph {
  readonly graph: Graph;
  /** Running statistic -> the output that holds its new value after a step. */
  readonly bufferUpdates: ReadonlyMap<string, string>;
  readonly masks: readonly DropoutMask[];
}

/**
 * Makes a forward graph of known shapes ready for training: decides what every BatchNormalization and
 * Dropout does. A frozen one behind a convolution is folded into it as arithmetic on the small tensors,
 * W' = W s and b' = (b - mean) s + bias with s = scale / √(variance + ε), so that the gradients of W, scale
 * and bias follow by the chain rule and nothing couples the images of a batch. Padding written as a node of
 * its own goes into the convolution behind it.
 * @throws ModelError naming the node where a batch has one value a channel only, or a rate is computed in the run.
 * @example
 * const { graph, bufferUpdates } = prepare(forward, { batchNorm: 'frozen', dropout: 'remove' });
 */
export function prepare(source: Graph, options: PrepareOptions = {}): PreparedGraph {
  const graph = foldPadding(source);
  const splicer = new Splicer(graph);
  const readers = consumers(graph);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const isRead = (name: string): boolean => outputs.has(name) || readers.has(name);
  const data = dataDependent(graph);
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const bufferUpdates = new Map<string, string>();
  const masks: DropoutMask[] = [];

  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    if (node.opType === 'BatchNormalization') {
      // Statistics that the graph computes, as torch.export writes them, don't run: gradients pass through them, whatever the mode.
      const isComputed = made.has(node.inputs[3]!) || made.has(node.inputs[4]!);
      const isTraining = attribute(node, 'training_mode', 'int', 0) === 1;
      if (isComputed && !isTraining) {
        splicer.replace(node, scaledAndShifted);
        continue;
      }
      // Weight standardisation: a weight normalised by its own statistics, which have no running form.
      const isOwn = isTraining && (isComputed || !data.has(node.inputs[0]!));
      const mode = isOwn ? 'batch' : resolvedBatchNorm(node, options.batchNorm ?? 'as-is');
      if (mode === undefined) continue;
      if (mode === 'frozen') {
        const conv = foldableConvolution(graph, node, readers, outputs);
        if (conv === undefined) splicer.replace(node, scaledAndShifted);
        else splicer.replace(node, (c) => foldedConvolution(c, conv), [conv]);
        continue;
      }
      splicer.replace(node, (c) => {
        const update: BufferUpdate = {
          momentum: options.momentum ?? 1 - attribute(node, 'momentum', 'float', 0.9),
          unbiased: (options.runningVariance ?? 'unbiased') === 'unbiased',
          updates: isOwn ? undefined : bufferUpdates,
          isRead,
        };
        return batchStatistics(c, update);
      });
    } else if (node.opType === 'Dropout') {
      splicer.replace(node, (c) => {
        const second = node.outputs[1];
        if (second !== undefined && second !== '' && isRead(second)) throw c.refuse('its mask is read by other nodes');
        const mode = resolvedDropout(node, options.dropout ?? 'as-is', (i, what) => toNumbers(c.constant(i, what))[0]!);
        const rate = c.optional(1) === undefined ? 0.5 : toNumbers(c.constant(1, 'ratio'))[0]!;
        if (mode === 'remove' || rate === 0) return [c.input(0)];
        const shape = c.shape(c.input(0));
        const input = c.builder.input(c.builder.uniqueName(`${node.name}_mask`), c.dtype, shape);
        masks.push({ input, shape, rate });
        return [c.mul(c.input(0), input)];
      });
    }
  }
  for (const name of new Set(bufferUpdates.values())) splicer.builder.output(name);
  return { graph: splicer.finish(), bufferUpdates, masks };
}

/** Every value that depends on an input of the graph. */
function dataDependent(graph: Graph): Set<string> {
  const result = new Set(graph.inputs.map((input) => input.name));
  for (const node of graph.nodes)
    if (node.inputs.some((input) => result.has(input))) for (const output of node.outputs) result.add(output);
  return result;
}

/** Undefined: the node stays as it is. */
function resolvedBatchNorm(
  node: Node,
  option: NonNullable<PrepareOptions['batchNorm']>,
): 'frozen' | 'batch' | undefined {
  const mode = typeof option === 'function' ? option(node) : option;
  if (mode !== 'as-is') return mode;
  return attribute(node, 'training_mode', 'int', 0) === 1 ? 'batch' : undefined;
}

function resolvedDropout(
  node: Node,
  option: NonNullable<PrepareOptions['dropout']>,
  constant: (index: number, what: string) => number,
): 'remove' | 'mask' {
  const mode = typeof option === 'function' ? option(node) : option;
  if (mode !== 'as-is') return mode;
  return node.inputs[2] && constant(2, 'training_mode') !== 0 ? 'mask' : 'remove';
}
