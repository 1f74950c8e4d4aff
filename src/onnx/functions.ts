import { ModelError } from '../core/errors.ts';
import { constantOf } from './decode-graph.ts';
import type { RawAttribute, RawFunction, RawGraph, RawNode } from './raw-graph.ts';

/** More nodes than any real model has: functions that call functions can grow without bound. */
const MOST_NODES = 1_000_000;
const MOST_DEPTH = 64;

/**
 * The graph with every call of a local function replaced by the function's nodes. Values and nodes
 * inside are named `<call>/<name>`.
 * @throws ModelError for functions that call themselves, and for an attribute that neither the call
 * nor the function gives a value.
 */
export function inlineFunctions(graph: RawGraph, functions: readonly RawFunction[]): RawGraph {
  if (functions.length === 0) return graph;
  return new Inliner(graph, functions).graph(graph, 0);
}

function functionKey(domain: string, name: string, overload: string): string {
  return `${domain}:${name}:${overload}`;
}

class Inliner {
  readonly #functions: Map<string, RawFunction>;
  readonly #names = new Set<string>();
  #count = 0;

  constructor(graph: RawGraph, functions: readonly RawFunction[]) {
    this.#functions = new Map(functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]));
    collectNames(graph, this.#names);
  }

  graph(graph: RawGraph, depth: number): RawGraph {
    const initializers = new Map(graph.initializers);
    const nodes: RawNode[] = [];
    for (const node of graph.nodes.flatMap((item) => this.#expand(item, depth))) {
      // A constant that took its value from the function's attribute is known now.
      const constant = constantOf(node);
      if (constant === undefined) nodes.push(node);
      else initializers.set(node.outputs[0]!, constant);
    }
    return { ...graph, initializers, nodes };
  }

  #expand(node: RawNode, depth: number): RawNode[] {
    const called = this.#functions.get(functionKey(node.domain, node.opType, node.overload));
    if (++this.#count > MOST_NODES)
      throw new ModelError(`Inlining the model's functions gives more than ${MOST_NODES} nodes.`);
    if (depth > MOST_DEPTH)
      throw new ModelError(
        `Function "${node.domain}:${node.opType}" calls itself, or calls are nested over ${MOST_DEPTH} deep.`,
      );
    if (called === undefined)
      return [{ ...node, attributes: mapAttributes(node.attributes, (body) => this.graph(body, depth + 1)) }];
    return this.#bodyOf(node, called).flatMap((inner) => this.#expand(inner, depth + 1));
  }

  #bodyOf(call: RawNode, called: RawFunction): RawNode[] {
    if (call.inputs.length > called.inputs.length || call.outputs.length > called.outputs.length)
      throw new ModelError(
        `"${call.name}" calls ${called.name} with ${call.inputs.length} inputs and ${call.outputs.length} outputs; it has ${called.inputs.length} and ${called.outputs.length}.`,
      );
    const prefix = call.name === '' ? (call.outputs.find((name) => name !== '') ?? call.opType) : call.name;
    const names = new Map<string, string>([['', '']]);
    for (const [i, formal] of called.inputs.entries()) names.set(formal, call.inputs[i] ?? '');
    const passedOn: RawNode[] = [];
    for (const [i, formal] of called.outputs.entries()) {
      const actual = call.outputs[i] ?? '';
      if (actual === '') continue;
      // An input handed on as an output: both names must go on to exist.
      if (called.inputs.includes(formal)) passedOn.push(identity(names.get(formal)!, actual, call.opset));
      else names.set(formal, actual);
    }
    const rename = (name: string): string => {
      const known = names.get(name);
      if (known !== undefined) return known;
      const fresh = this.#fresh(`${prefix}/${name}`);
      names.set(name, fresh);
      return fresh;
    };
    const given = new Map([...called.defaults, ...call.attributes]);
    return [...called.nodes.map((node) => substituted(node, rename, given, prefix)), ...passedOn];
  }

  #fresh(base: string): string {
    let name = base;
    for (let i = 1; this.#names.has(name); i++) name = `${base}_${i}`;
    this.#names.add(name);
    return name;
  }
}

function identity(from: string, to: string, opset: number): RawNode {
  return {
    name: to,
    opType: 'Identity',
    domain: '',
    overload: '',
    inputs: [from],
    outputs: [to],
    attributes: new Map(),
    opset,
  };
}

function substituted(
  node: RawNode,
  rename: (name: string) => string,
  given: ReadonlyMap<string, RawAttribute>,
  prefix: string,
): RawNode {
  const attributes = new Map<string, RawAttribute>();
  for (const [key, value] of node.attributes) {
    // A reference to an attribute that nobody gave leaves the operator's own default.
    const resolved = value.kind === 'reference' ? given.get(value.name) : value;
    if (resolved === undefined) continue;
    attributes.set(
      key,
      resolved.kind === 'body' && value.kind === 'body' ? renamedBody(resolved.value, rename, given, prefix) : resolved,
    );
  }
  return {
    ...node,
    name: `${prefix}/${node.name === '' ? node.opType : node.name}`,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes,
  };
}

function renamedBody(
  body: RawGraph,
  rename: (name: string) => string,
  given: ReadonlyMap<string, RawAttribute>,
  prefix: string,
): RawAttribute {
  const value: RawGraph = {
    name: body.name,
    inputs: body.inputs.map((input) => ({ ...input, name: rename(input.name) })),
    outputs: body.outputs.map((output) => ({ ...output, name: rename(output.name) })),
    nodes: body.nodes.map((node) => substituted(node, rename, given, prefix)),
    initializers: new Map([...body.initializers].map(([name, tensor]) => [rename(name), tensor])),
    declared: new Map([...body.declared].map(([name, type]) => [rename(name), type])),
  };
  return { kind: 'body', value };
}

function mapAttributes(
  attributes: ReadonlyMap<string, RawAttribute>,
  mapBody: (body: RawGraph) => RawGraph,
): ReadonlyMap<string, RawAttribute> {
  return new Map(
    [...attributes].map(([name, value]) => [
      name,
      value.kind === 'body' ? { kind: 'body', value: mapBody(value.value) } : value,
    ]),
  );
}

function collectNames(graph: RawGraph, names: Set<string>): void {
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name);
  for (const name of graph.initializers.keys()) names.add(name);
  for (const node of graph.nodes) {
    for (const name of node.outputs) names.add(name);
    for (const value of node.attributes.values()) if (value.kind === 'body') collectNames(value.value, names);
  }
}
