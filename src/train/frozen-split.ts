import { prepare } from '../autodiff/prepare.ts';
import { frozenPrefix } from '../models/freeze.ts';
import { addNormalise } from '../models/preprocessing.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { append, extract } from '../onnx/compose.ts';
import { capturedNames, producers, type Graph, type Node } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import type { StepOptions } from './step-options.ts';
import { isDropout, withActiveDropout } from './gradient-graph.ts';
import { objectiveOf } from './step-loss.ts';

/** A step in two: what training does not change, and the rest. */
export interface FrozenSplit {
  /** `pixels` uint8 [N, h, w, 3] to `value` float32 [N, ...shape], of the N images of a pass. */
  readonly prefix: Graph;
  /** One image's share of `pixels`. */
  readonly images: { readonly dtype: 'uint8'; readonly shape: readonly number[] };
  /** One image's share of `value`. */
  readonly shape: readonly number[];
  /** The same step on `value` instead of pixels. */
  readonly step: StepOptions;
  /** Nodes that need not run again. */
  readonly nodes: number;
}

/**
 * Cuts a step on pixels behind its frozen prefix, at the last value through which all of it passes.
 * @returns undefined where nothing of weight is frozen or there is no such value, and where batch statistics are as the graph says.
 */
export function splitFrozen(step: StepOptions): FrozenSplit | undefined {
  const { graph, input, logits, images, microBatch, parameters } = step;
  const { rows, outputs, averaged } = objectiveOf(step.loss);
  const read = [logits, ...outputs];
  if (images.kind !== 'pixels' || step.batchNorm === 'as-is') return undefined;
  // What is cut has the size of its batch in it, and the average of the weights takes fewer rows.
  if (averaged !== undefined) return undefined;
  const trained = parameters.map(({ name }) => name);
  // What takes no time is not worth a graph of its own.
  if (!frozenPrefix(graph, trained).nodes.some(({ opType }) => HEAVY.has(opType))) return undefined;
  const b = new GraphBuilder(`${graph.name}_frozen`);
  const pixels = b.input('pixels', 'uint8', [microBatch * rows, ...images.preprocessing.inputSize, 3]);
  const x = addNormalise(b, pixels, images.preprocessing);
  const active = step.dropout === 'as-is' ? graph : withActiveDropout(graph);
  // With sizes as numbers, what was computed from shapes is folded and crosses no cut.
  const fixed = specialize(extract(active, read), { inputs: { [input]: b.shape(x) } });
  // What a dropout gives changes as if it were trained: its switch stands for a parameter.
  const switches = fixed.nodes.filter(isDropout).flatMap((node) => node.inputs.slice(2));
  const { boundary, nodes } = frozenPrefix(fixed, [...trained, ...switches]);
  const value = lastCommonValue(fixed, boundary, nodes, input);
  if (value === undefined) return undefined;

  const frozen = extract(fixed, [value]);
  const made = append(b, prepare(frozen, { batchNorm: 'frozen', dropout: 'as-is' }).graph, { [input]: x });
  b.output(made[value]!, 'value');
  const [, ...shape] = fixed.types.get(value)!.shape as number[];
  return {
    prefix: b.build(),
    images: { dtype: 'uint8', shape: [...images.preprocessing.inputSize, 3] },
    shape,
    step: { ...step, graph: extract(fixed, read, [value]), input: value, images: { kind: 'values', shape } },
    nodes: frozen.nodes.length,
  };
}

const HEAVY: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Einsum']);

/** The last value of a batch, made by `nodes`, that every way from the input to `boundary` passes. */
function lastCommonValue(
  graph: Graph,
  boundary: readonly string[],
  nodes: readonly Node[],
  input: string,
): string | undefined {
  const makers = producers(graph);
  const batch = graph.inputs.find(({ name }) => name === input)?.type.shape?.[0];
  const reachesInput = (without: string): boolean => {
    const seen = new Set([without]);
    const pending = [...boundary];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      if (name === input) return true;
      const maker = makers.get(name);
      if (maker !== undefined) pending.push(...maker.inputs, ...capturedNames(maker));
    }
    return false;
  };
  const isOfBatch = (name: string): boolean => {
    const type = graph.types.get(name);
    return (
      type?.dtype === 'float32' && type.shape?.[0] === batch && type.shape!.every((side) => typeof side === 'number')
    );
  };
  for (const node of nodes.toReversed())
    for (const output of node.outputs) if (isOfBatch(output) && !reachesInput(output)) return output;
  return undefined;
}
