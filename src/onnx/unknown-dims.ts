import type { Attribute, Dim, Graph, Node, TensorType, ValueInfo } from './graph.ts';

/** Symbols for sides of which nothing is known: `?0`, `?1`, ... They are local to a graph and never written to a file. */

export function unknownDim(number: number): string {
  return `?${number}`;
}

/** Whether a side is a symbol of this kind, not one that the model's author named. */
export function isUnknownDim(side: Dim): boolean {
  return typeof side === 'string' && /^\?\d+$/.test(side);
}

/** The first number that no symbol in `types` has. */
export function firstFreeUnknown(types: Iterable<TensorType>): number {
  let free = 0;
  for (const { shape } of types)
    for (const side of shape ?? [])
      if (isUnknownDim(side)) free = Math.max(free, Number((side as string).slice(1)) + 1);
  return free;
}

/** The graph with these symbols numbered in the order they appear, so that equal graphs have equal types. */
export function renumberUnknowns(graph: Graph): Graph {
  return renumbered(graph, new Map());
}

function renumbered(graph: Graph, names: Map<string, string>): Graph {
  const side = (old: Dim): Dim => {
    if (typeof old === 'number' || !isUnknownDim(old)) return old;
    const known = names.get(old) ?? unknownDim(names.size);
    names.set(old, known);
    return known;
  };
  const type = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape: shape?.map(side) });
  const info = (value: ValueInfo): ValueInfo => ({ name: value.name, type: type(value.type) });
  const attribute = (value: Attribute): Attribute =>
    value.kind === 'graph' ? { kind: 'graph', value: renumbered(value.value, names) } : value;
  const node = (old: Node): Node => ({
    ...old,
    attributes: Object.fromEntries(Object.entries(old.attributes).map(([name, value]) => [name, attribute(value)])),
  });
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    nodes: graph.nodes.map(node),
    types: new Map([...graph.types].map(([name, value]) => [name, type(value)])),
    outputs: graph.outputs.map(info),
  };
}
