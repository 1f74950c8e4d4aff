import type { Graph } from '../onnx/graph.ts';
import { Lowerer } from './lowerer.ts';
import type { Choose } from './lowering.ts';
import { withFusedConvolutions } from './passes/fuse-convolutions.ts';
import { withFullRankScalars } from './passes/full-rank-scalars.ts';
import { withReorderedTransposes } from './passes/reordered-transposes.ts';
import { simplified } from './passes/simplify.ts';
import type { WeightLayout } from './weight-layout.ts';

/**
 * What a graph is lowered for. `plain`: standard ONNX, any device. `blocked`: ONNX Runtime's CPU layout
 * with channels in blocks of `block` (8 or 16, found by asking the engine). `choose` picks where several
 * lowerings could serve; without it the first is taken.
 */
export type Target =
  | { readonly kind: 'plain'; readonly choose?: Choose }
  | { readonly kind: 'blocked'; readonly block: number; readonly choose?: Choose };

export interface LowerOptions {
  /**
   * Parameters (inputs or initializers of the graph) that may be laid out as the target likes best: they
   * become inputs or initializers of their packed shape, and their gradients come out in it too. Default: none.
   */
  readonly parameters?: readonly string[];
  /** The output that holds the gradient of a parameter. Default: `<parameter>_grad`. */
  readonly gradients?: ReadonlyMap<string, string>;
}

export interface LoweredGraph {
  readonly graph: Graph;
  /** One for each of `parameters`. */
  readonly layouts: ReadonlyMap<string, WeightLayout>;
}

/**
 * Replaces every abstract op of `gleaner.gradient` by ops that the target has, and lays tensors out for it.
 * Names of inputs and outputs stay. The shapes of all values that the abstract ops touch must be known.
 * @throws RangeError where a shape is not known.
 * @example
 * const { graph, layouts } = lower(gradientGraph, { kind: 'blocked', block: 8 }, { parameters: ['weight'] });
 * const packed = layouts.get('weight')!.pack(weight);
 */
export function lower(graph: Graph, target: Target, options: LowerOptions = {}): LoweredGraph {
  const lowered = new Lowerer(simplified(graph), target, options).lower();
  const { layouts } = lowered;
  const small = simplified(lowered.graph);
  if (target.kind === 'plain') return { graph: withFullRankScalars(small), layouts };
  const reordered = simplified(withReorderedTransposes(small, target.block));
  return { graph: withFusedConvolutions(withFullRankScalars(reordered)), layouts };
}
