import type { Graph } from '../onnx/graph.ts';
import type { Choose } from './lowering.ts';
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
