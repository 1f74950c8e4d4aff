import type { Tensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { append, rename } from '../onnx/compose.ts';
import type { Graph } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import { stateName, type Objective } from './objective.ts';

/** Before the names of what the average computes. */
const PREFIX = 'average/';

/** The state that holds the moving average of a parameter. */
function averageOf(parameter: string): string {
  return stateName(`${PREFIX}${parameter}`);
}

export interface AveragedNetwork {
  /** What the average says, [N rows, K]. */
  readonly logits: string;
  /** State by its full name: where the averages start. */
  readonly states: ReadonlyMap<string, Tensor>;
}

/**
 * Adds the network a second time, on some rows of each sample, with the moving average of its weights, which are state
 * (the teacher of Mean Teacher, Tarvainen and Valpola 2017, arXiv:1703.01780).
 * @param graph the network, with logits as its only output
 * @param x what the network takes, of all rows
 * @param trained parameters that have an average; the others are the network's own
 */
export function addAveragedNetwork(
  b: GraphBuilder,
  graph: Graph,
  x: string,
  objective: Objective,
  trained: readonly string[],
): AveragedNetwork {
  const { seen: fed } = splitRows(b, x, objective);
  const input = graph.inputs[0]!.name;
  const fixed = specialize(graph, { inputs: { [input]: b.shape(fed) } });
  const states = new Map(trained.map((name) => [averageOf(name), graph.initializers.get(name)!]));
  const renamed = rename(fixed, new Map(trained.map((name) => [name, averageOf(name)])));
  const made = append(b, renamed, { [input]: fed }, { prefix: PREFIX });
  return { logits: made[renamed.outputs[0]!.name]!, states };
}

/** Of rows [N rows, ...] those that the average sees, if there is one, and those that the network sees, each in their order. */
export function splitRows(
  b: GraphBuilder,
  x: string,
  { rows, averaged }: Pick<Objective, 'rows' | 'averaged'>,
): { readonly seen: string; readonly own: string } {
  if (averaged === undefined || averaged === 'all') return { seen: x, own: x };
  const [all, ...shape] = b.shape(x) as [number, ...number[]];
  const samples = all / rows;
  const { from, rows: count } = averaged;
  const bySample = b.op('Reshape', [x, b.int([samples, rows, ...shape])]);
  const between = (start: number, end: number): string =>
    b.op('Slice', [bySample, b.int([start]), b.int([end]), b.int([1])]);
  const flat = (part: string, each: number): string => b.op('Reshape', [part, b.int([samples * each, ...shape])]);
  const own = b.op('Concat', [between(0, from), between(from + count, rows)], { axis: 1 });
  return { seen: flat(between(from, from + count), count), own: flat(own, rows - count) };
}

export function isOfAverage({ name }: { readonly name: string }): boolean {
  return name.startsWith(PREFIX);
}

/** State -> its next value, `rate` of the way to the weights. */
export function movedAverages(b: GraphBuilder, trained: readonly string[], rate: string): Map<string, string> {
  return new Map(
    trained.map((name) => {
      const old = averageOf(name);
      const step = b.op('Mul', [b.op('Sub', [name, old]), rate]);
      return [old, b.op('Add', [old, step])];
    }),
  );
}
