import type { GraphBuilder } from '../builder.ts';
import type { Attributes, Node } from '../graph.ts';

/**
 * Restates a node of ONNX's opset `opset` in `INTERNAL_OPSET`: may add nodes and constants to the
 * builder, and returns the node that makes the original's outputs.
 */
export type Lift = (node: Node, opset: number, builder: GraphBuilder) => Node;

export function without(attributes: Attributes, ...names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}
