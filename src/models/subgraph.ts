import { capturedNames, pruned, type Graph } from '../onnx/graph.ts';

/**
 * What `values` need of `graph`, without outputs (the caller declares them): no other nodes, initializers,
 * inputs or types, so that every name that is no longer in use is free.
 */
export function subgraphFor(graph: Graph, values: readonly string[]): Graph {
  const outputs = values.map((name) => ({ name, type: { dtype: 'float32' as const, shape: undefined } }));
  const kept = pruned({ ...graph, outputs });
  const read = new Set([...values, ...kept.nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)])]);
  const inputs = graph.inputs.filter((input) => read.has(input.name));
  const made = new Set([
    ...inputs.map((input) => input.name),
    ...kept.initializers.keys(),
    ...kept.nodes.flatMap((node) => node.outputs),
  ]);
  return { ...kept, inputs, outputs: [], types: new Map([...graph.types].filter(([name]) => made.has(name))) };
}

/** The values that depend on no graph input: weights, and what is computed from weights alone. */
export function constantValues(graph: Graph): Set<string> {
  const constant = new Set(graph.initializers.keys());
  for (const node of graph.nodes)
    if ([...node.inputs, ...capturedNames(node)].every((name) => name === '' || constant.has(name)))
      for (const output of node.outputs) if (output !== '') constant.add(output);
  return constant;
}
