import type { Graph, Node, TensorType } from '../onnx/graph.ts';
import { inferRule } from '../onnx/shapes/index.ts';
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
    const fuller = { ...node, outputs };
    for (const [i, type] of inferred(graph, fuller).entries()) {
      const output = outputs[i];
      if (output !== undefined && type !== undefined && !types.has(output)) types.set(output, type);
    }
    patched.set(node, fuller);
  }
  return { ...graph, nodes: graph.nodes.map((node) => patched.get(node) ?? node), types };
}

function freeName(types: ReadonlyMap<string, TensorType>, node: Node, index: number): string {
  let name = `${node.name}:${index}`;
  while (types.has(name)) name += '_';
  return name;
}

function inferred(graph: Graph, node: Node): readonly (TensorType | undefined)[] {
  const rule = inferRule(node.domain, node.opType);
  if (rule === undefined) return [];
  let unknown = 0;
  return rule({
    node,
    inputs: node.inputs.map((input) => graph.types.get(input)),
    constant: (index) => graph.initializers.get(node.inputs[index] ?? ''),
    unknownDim: () => `${node.name}?${unknown++}`,
  });
}
