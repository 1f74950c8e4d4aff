import type { Graph } from '../onnx/graph.ts';
import { Lowerer } from './lowerer.ts';
import { withFusedConvolutions } from './passes/fuse-convolutions.ts';
import { withFullRankScalars } from './passes/full-rank-scalars.ts';
import { withReorderedTransposes } from './passes/reordered-transposes.ts';
import { simplified } from './passes/simplify.ts';
import type { LowerOptions, LoweredGraph, Target } from './target.ts';

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
