import type { Tensor } from '../core/tensor.ts';
import type { GraphBuilder } from './builder.ts';
import { capturedNames, producers, pruned, type Graph, type Node, type ValueInfo } from './graph.ts';

/** Putting graphs together and taking them apart. */

export interface AppendOptions {
  /** Put before the names of values and nodes (not of initializers): `head/`. */
  readonly prefix?: string;
}

/**
 * Adds the nodes and initializers of `graph` to `builder`, its inputs bound to values the builder
 * has. Initializers keep their names unless taken; values and nodes get the prefix, and a number
 * where their name is taken. Types are inferred anew.
 * @returns the builder's name of each of the graph's outputs.
 * @throws RangeError where an input of the graph is not bound, or bound to a value the builder lacks.
 */
export function append(
  builder: GraphBuilder,
  graph: Graph,
  bindings: Readonly<Record<string, string>>,
  options: AppendOptions = {},
): Record<string, string> {
  const { prefix = '' } = options;
  const names = new Map<string, string>([['', '']]);
  for (const { name } of graph.inputs) {
    const bound = bindings[name];
    if (bound === undefined || !builder.has(bound))
      throw new RangeError(
        `Input "${name}" of graph "${graph.name}" must be bound to a value of "${builder.name}", got ${bound === undefined ? 'nothing' : `"${bound}"`}.`,
      );
    names.set(name, bound);
  }
  for (const [name, value] of graph.initializers) names.set(name, builder.initializer(builder.uniqueName(name), value));
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((name) => (name === '' ? '' : builder.uniqueName(prefix + name)));
    for (const [i, name] of node.outputs.entries()) if (name !== '') names.set(name, outputs[i]!);
    addRenamed(builder, node, outputs, names, prefix);
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, names.get(name)!]));
}

function addRenamed(
  builder: GraphBuilder,
  node: Node,
  outputs: readonly string[],
  names: ReadonlyMap<string, string>,
  prefix: string,
): void {
  const renamed = renameInNode(node, (name) => names.get(name) ?? name);
  builder.addNode({ ...renamed, outputs, name: builder.uniqueNodeName(prefix + node.name) });
}

/**
 * The part of a graph that computes `outputs`. With `inputs`, it starts at those values, which become
 * its inputs (and need a known type); the others it still needs are inputs of the original.
 * @throws RangeError for a value the graph does not have.
 */
export function extract(graph: Graph, outputs: readonly string[], inputs: readonly string[] = []): Graph {
  const cut = new Set(inputs);
  const known = new Map(graph.inputs.map(({ name, type }) => [name, type]));
  const valueOf = (name: string): ValueInfo => {
    const type = known.get(name) ?? graph.types.get(name);
    if (type === undefined) throw new RangeError(`Graph "${graph.name}" has no value "${name}" of a known type.`);
    return { name, type };
  };
  const nodes = graph.nodes.filter((node) => !node.outputs.some((name) => cut.has(name)));
  const part = pruned({
    ...graph,
    nodes,
    outputs: outputs.map(valueOf),
    initializers: new Map([...graph.initializers].filter(([name]) => !cut.has(name))),
  });
  const read = new Set([...part.nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)]), ...outputs]);
  const own = graph.inputs.filter(({ name }) => read.has(name) && !cut.has(name));
  checkComplete(part, new Set([...own.map(({ name }) => name), ...cut]), outputs);
  return { ...part, inputs: [...inputs.map(valueOf), ...own] };
}

/** A value made by a node that was cut away, though another of its outputs is a new input, has no maker. */
function checkComplete(graph: Graph, inputs: ReadonlySet<string>, outputs: readonly string[]): void {
  const made = producers(graph);
  for (const name of [...graph.nodes.flatMap((node) => node.inputs), ...outputs])
    if (name !== '' && !made.has(name) && !inputs.has(name) && !graph.initializers.has(name))
      throw new RangeError(`"${name}" can not be computed from the chosen inputs: ${[...inputs].join(', ')}.`);
}

/**
 * The graph with other values for some of its initializers.
 * @throws RangeError for a name that is no initializer, or a value of another shape or type.
 */
export function withInitializers(graph: Graph, values: ReadonlyMap<string, Tensor>): Graph {
  const initializers = new Map(graph.initializers);
  for (const [name, value] of values) {
    const old = graph.initializers.get(name);
    if (old === undefined) throw new RangeError(`Graph "${graph.name}" has no initializer "${name}".`);
    if (old.dtype !== value.dtype || old.shape.join() !== value.shape.join())
      throw new RangeError(
        `Initializer "${name}" is ${old.dtype} [${old.shape}], got ${value.dtype} [${value.shape}].`,
      );
    initializers.set(name, value);
  }
  return { ...graph, initializers };
}

/**
 * The graph with values renamed, inputs, outputs and initializers too.
 * @throws RangeError where two values would have one name, or a name is not in the graph.
 */
export function rename(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const all = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== '')),
  ]);
  for (const name of names.keys())
    if (!all.has(name)) throw new RangeError(`Graph "${graph.name}" has no value "${name}" to rename.`);
  const renamed = (name: string): string => names.get(name) ?? name;
  const results = new Set([...all].map(renamed));
  if (results.size < all.size) throw new RangeError(`Renaming would give two values of "${graph.name}" one name.`);
  const info = ({ name, type }: ValueInfo): ValueInfo => ({ name: renamed(name), type });
  return {
    name: graph.name,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    nodes: graph.nodes.map((node) => ({ ...renameInNode(node, renamed), outputs: node.outputs.map(renamed) })),
    initializers: new Map([...graph.initializers].map(([name, value]) => [renamed(name), value])),
    types: new Map([...graph.types].map(([name, type]) => [renamed(name), type])),
  };
}

/** The node reading other values; what its bodies read of the graph around them is renamed too. */
export function renameInNode(node: Node, renamed: (name: string) => string): Node {
  const inputs = node.inputs.map(renamed);
  if (!capturedNames(node).some((name) => renamed(name) !== name)) return { ...node, inputs };
  const attributes = Object.entries(node.attributes).map(([key, value]) => {
    if (value.kind !== 'graph') return [key, value] as const;
    const body = value.value;
    const nodes = body.nodes.map((inner) => renameInNode(inner, renamed));
    const outputs = body.outputs.map((output) => ({ ...output, name: renamed(output.name) }));
    return [key, { kind: 'graph', value: { ...body, nodes, outputs } }] as const;
  });
  return { ...node, inputs, attributes: Object.fromEntries(attributes) };
}
