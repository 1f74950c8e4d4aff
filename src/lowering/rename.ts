import type { Graph } from '../onnx/graph.ts';

/** The graph with values renamed; names that are not in `names` stay. */
export function renamed(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  if (names.size === 0) return graph;
  const to = (name: string): string => names.get(name) ?? name;
  return {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, name: to(input.name) })),
    outputs: graph.outputs.map((output) => ({ ...output, name: to(output.name) })),
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(to), outputs: node.outputs.map(to) })),
    initializers: new Map([...graph.initializers].map(([name, value]) => [to(name), value])),
    types: new Map([...graph.types].map(([name, type]) => [to(name), type])),
  };
}
