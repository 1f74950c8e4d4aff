import { GraphBuilder } from '../onnx/builder.ts';
import { withFullRankScalars } from '../lowering/passes/full-rank-scalars.ts';
import type { Graph } from '../onnx/graph.ts';
import type { StepOptions } from './step-options.ts';
import { splitFrozen } from './frozen-split.ts';
import {
  flatBuffers,
  gradientPieces,
  joinMembers,
  withBufferInputs,
  type Buffer,
  type GradientPiece,
} from './flat-buffers.ts';
import { optimizer } from '../optim/optimizer.ts';
import { addUpdate, type Update } from '../optim/update.ts';
import { gradientGraph, STEP, type GradientGraph } from './gradient-graph.ts';

/** A step as graphs, ready to be written and run. All tensors of state are in packed shapes. */
export interface CompiledStep extends Omit<GradientGraph, 'graph' | 'gradients' | 'buffers'> {
  /** Runs before each pass where a part of the network is frozen: from pixels to what the pass takes as images. */
  readonly prefix: Graph | undefined;
  /** One pass: loss, logits, new running statistics, and the new parameters and state (one pass a step) or summed gradients. */
  readonly pass: Graph;
  /** The optimizer's step on summed gradients, where a step has several passes. */
  readonly update: Graph | undefined;
  /** Inputs and outputs of the optimizer, in `update` or else in `pass`. */
  readonly names: Update;
  /** Parameters as the graphs take them. */
  readonly parameters: readonly Buffer[];
  /** Running statistics as the graphs take them, and the output of `pass` with their new values. */
  readonly statistics: readonly (Buffer & { readonly output: string })[];
  /** Inputs of `pass` with the sums of gradients so far, and the outputs with the next. Empty with one pass a step. */
  readonly sums: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly input: string;
    readonly output: string;
  }[];
  readonly options: StepOptions;
}

/**
 * Makes the graphs of a training step: forward and backward, then the optimizer. What is frozen at the beginning of
 * a network on pixels is a graph of its own, for inference. With one pass a step all is one
 * graph, with several the gradients are summed and the optimizer is a graph of its own.
 * @throws RangeError, ModelError as `gradientGraph`; RangeError for an optimizer that can't be.
 */
export function compileStep(options: StepOptions): CompiledStep {
  const { parameters, microBatches = 1, averageDecay } = options;
  if (!Number.isSafeInteger(microBatches) || microBatches < 1)
    throw new RangeError(`microBatches must be a positive integer, got ${microBatches}.`);
  const split = splitFrozen(options);
  const { graph, gradients, buffers, ...inner } = gradientGraph(
    split?.step ?? options,
    parameters.map(({ name }) => name),
  );
  const rest = { ...inner, prefix: split?.prefix, images: split?.images ?? inner.images, options };
  const transform = optimizer(options.optimizer);
  const shapeOf = (name: string): readonly number[] => rest.layouts.get(name)!.packedShape;
  const flat = flatBuffers(
    parameters.map(({ name, group, decay }) => ({
      name,
      shape: shapeOf(name),
      key: transform.perTensor ? name : `${group}/${decay}`,
    })),
    'parameters',
  );
  const named = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const packed = flat.map(({ name, shape, members }) => ({ ...named.get(members[0]!.name)!, name, shape }));
  const moving = flatBuffers(
    [...buffers.keys()].map((name) => ({ name, shape: rest.initial.buffers.get(name)!.shape, key: '' })),
    'statistics',
  );

  const pass = GraphBuilder.from(withBufferInputs(graph, [...flat, ...moving]), {
    name: `${graph.name}_step`,
    outputs: false,
  });
  for (const name of [STEP.loss, STEP.logits, ...inner.metrics.values()]) pass.output(name);
  const pieces = gradientPieces(
    flat,
    parameters.map(({ name }) => name),
  );
  const made = new Map(pieces.map((piece) => [piece.name, joinMembers(pass, piece, gradients)]));
  const statistics = moving.map((buffer) => ({ ...buffer, output: pass.output(joinMembers(pass, buffer, buffers)) }));
  const outputs = new Map(statistics.map(({ name, output }) => [name, output]));
  const update = {
    transform,
    parameters: packed,
    values: new Map(packed.map(({ name }) => [name, name])),
    ...(averageDecay !== undefined && { averageDecay }),
  };
  const compiled = { ...rest, parameters: flat, statistics };
  if (microBatches === 1) {
    const names = addUpdate(pass, { ...update, ...wholeGradients(pass, flat, pieces, made), buffers: outputs });
    return { ...compiled, pass: withFullRankScalars(pass.build()), update: undefined, names, sums: [] };
  }

  const sums = pieces.map(({ name, shape }) => {
    const input = pass.input(`sum/${name}`, 'float32', shape);
    const output = pass.op('Add', [input, made.get(name)!], {}, { outputs: [`sum/${name}_next`] });
    return { name, shape, input, output: pass.output(output) };
  });
  const b = new GraphBuilder(`${graph.name}_update`);
  for (const { name, shape } of packed) b.input(name, 'float32', shape);
  const summed = new Map(sums.map(({ name, shape, input }) => [name, b.input(input, 'float32', shape)]));
  const averaged = averageDecay === undefined ? [] : statistics;
  const means = new Map(averaged.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const names = addUpdate(b, { ...update, ...wholeGradients(b, flat, pieces, summed), buffers: means });
  return {
    ...compiled,
    pass: withFullRankScalars(pass.build()),
    update: withFullRankScalars(b.build()),
    names,
    sums,
  };
}

/** What the optimizer takes, from the pieces' values. */
function wholeGradients(
  b: GraphBuilder,
  buffers: readonly Buffer[],
  pieces: readonly GradientPiece[],
  values: ReadonlyMap<string, string>,
): { gradients: Map<string, string>; pieces: string[] } {
  const gradients = buffers.map(({ name }): [string, string] => {
    const parts = pieces.filter((piece) => piece.of === name).map((piece) => values.get(piece.name)!);
    return [name, parts.length === 1 ? parts[0]! : b.op('Concat', parts, { axis: 0 })];
  });
  return { gradients: new Map(gradients), pieces: pieces.toReversed().map(({ name }) => values.get(name)!) };
}
