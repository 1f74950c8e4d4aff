import type { Graph, Node, TensorType } from '../onnx/graph.ts';
import { attribute } from '../onnx/graph.ts';
import { differentiation } from './rules/table.ts';

/**
 * Asks the forward nodes for the optional outputs that their gradient rules read (the mean and inverse
 * deviation of LayerNormalization), so that the backward pass need not compute them again.
 */
export function saveOutputs(graph: Graph, nodes: readonly Node[]): Graph {
  const types = new Map(graph.types);
  const patched = new Map<Node, Node>();
  for (const node of nodes) {
    const how = differentiation(node);
    if (how.kind !== 'rule' || how.outputs === undefined) continue;
    const outputs = Array.from({ length: how.outputs }, (_, i) => node.outputs[i] || freeName(types, node, i));
    for (const output of outputs) {
      const type = statisticType(graph, node);
      if (!types.has(output) && type !== undefined) types.set(output, type);
    }
    patched.set(node, { ...node, outputs });
  }
  return { ...graph, nodes: graph.nodes.map((node) => patched.get(node) ?? node), types };
}

function freeName(types: ReadonlyMap<string, TensorType>, node: Node, index: number): string {
  let name = `${node.name}:${index}`;
  while (types.has(name)) name += '_';
  return name;
}

/** The type of the statistics of a layer normalisation: 1 along every normalised axis. */
function statisticType(graph: Graph, node: Node): TensorType | undefined {
  const input = graph.types.get(node.inputs[0] ?? '');
  if (input?.shape === undefined) return undefined;
  const axis = attribute(node, 'axis', 'int', -1);
  const first = axis < 0 ? axis + input.shape.length : axis;
  return { dtype: input.dtype, shape: input.shape.map((side, i) => (i < first ? side : 1)) };
}
