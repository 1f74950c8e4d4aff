import type { Graph } from '../onnx/graph.ts';

/** The same graph with values renamed (`from` -> `to`); initializers, inputs and outputs of the graph too. */
export function renameValues(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  if (names.size === 0) return graph;
  const renamed = (name: string): string => names.get(name) ?? name;
  const info = <T extends { readonly name: string }>(value: T): T => ({ ...value, name: renamed(value.name) });
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
    })),
    initializers: new Map([...graph.initializers].map(([name, value]) => [renamed(name), value])),
    types: new Map([...graph.types].map(([name, type]) => [renamed(name), type])),
  };
}
