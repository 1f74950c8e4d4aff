import type { DataType, Tensor } from '../core/tensor.ts';

/**
 * The graph every pass reads and returns: immutable, names as values (single assignment), nodes in
 * topological order. Names are kept through every pass, so that a trained parameter finds its way
 * back into the model it came from.
 */

/** The opset every loaded model is lifted to and every graph inside Gleaner is written for. */
export const INTERNAL_OPSET = 26;

/** ONNX's own operators. */
export const ONNX_DOMAIN = '';
/** ONNX Runtime's contributed operators (`FusedMatMul`, ...). */
export const MICROSOFT_DOMAIN = 'com.microsoft';
/** ONNX Runtime's CPU operators on the blocked layout (`Conv`, `ReorderInput`, ...). */
export const NCHWC_DOMAIN = 'com.microsoft.nchwc';
/** Abstract gradient operators: stated by `autodiff`, replaced by `lowering`, never seen by an engine. */
export const GRADIENT_DOMAIN = 'gleaner.gradient';

/** A side length, or the name of one that is only known at run time. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface TensorType {
  readonly dtype: DataType;
  /** Undefined where not even the rank is known. */
  readonly shape: Shape | undefined;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  /** Unique in its graph, readable in a graph viewer. */
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Names of values; an empty string is an absent optional input. */
  readonly inputs: readonly string[];
  /** Names of values; an empty string is an output nobody asked for. */
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface ValueInfo {
  readonly name: string;
  readonly type: TensorType;
}

export interface Graph {
  readonly name: string;
  /** What is fed at run time; never an initializer. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** The inferred type of every input, initializer and node output that could be inferred. */
  readonly types: ReadonlyMap<string, TensorType>;
}

/** A graph as it lies in a file, lifted to `INTERNAL_OPSET`. */
export interface Model {
  readonly graph: Graph;
  /** Free text by key (`metadata_props`). */
  readonly metadata: ReadonlyMap<string, string>;
  readonly producer: string;
  /** The opset of ONNX's domain that the file was written in, before lifting. */
  readonly sourceOpset: number;
}

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const string = (value: string): Attribute => ({ kind: 'string', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value: [...value] });
export const floats = (value: readonly number[]): Attribute => ({ kind: 'floats', value: [...value] });
export const tensorAttribute = (value: Tensor): Attribute => ({ kind: 'tensor', value });

/** `Conv_12 (Conv)`, for messages. */
export function describeNode(node: Pick<Node, 'name' | 'opType' | 'domain'>): string {
  return `${node.name || '(unnamed)'} (${node.domain === '' ? '' : `${node.domain}:`}${node.opType})`;
}

type Kind = Attribute['kind'];
type ValueOf<K extends Kind> = Extract<Attribute, { kind: K }>['value'];

/**
 * The value of an attribute, or `fallback` where it is absent.
 * @throws TypeError where the attribute has another kind, or is absent without a fallback.
 */
export function attribute<K extends Kind>(node: Node, name: string, kind: K, fallback?: ValueOf<K>): ValueOf<K> {
  const found = node.attributes[name];
  if (found === undefined) {
    if (fallback === undefined) throw new TypeError(`${describeNode(node)} lacks its attribute "${name}" (${kind}).`);
    return fallback;
  }
  if (found.kind !== kind)
    throw new TypeError(`Attribute "${name}" of ${describeNode(node)} must be of kind ${kind}, got ${found.kind}.`);
  return found.value as ValueOf<K>;
}

/** Which node makes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const result = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') result.set(output, node);
  return result;
}

/** Which nodes read each value (a node that reads it twice is listed once). */
export function consumers(graph: Graph): Map<string, Node[]> {
  const result = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const input of new Set(node.inputs)) {
      if (input === '') continue;
      const list = result.get(input);
      if (list === undefined) result.set(input, [node]);
      else list.push(node);
    }
  return result;
}

/** The same graph without nodes and initializers that no output needs. */
export function pruned(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(input);
    for (const name of capturedNames(node)) needed.add(name);
  }
  return {
    ...graph,
    nodes: nodes.toReversed(),
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
  };
}

/** Names of the outer graph that the subgraphs of a node (`If`, `Loop`, `Scan`) may read. */
export function capturedNames(node: Node): string[] {
  const names: string[] = [];
  for (const value of Object.values(node.attributes)) {
    if (value.kind !== 'graph') continue;
    for (const inner of value.value.nodes)
      names.push(...inner.inputs.filter((name) => name !== ''), ...capturedNames(inner));
    names.push(...value.value.outputs.map((output) => output.name));
  }
  return names;
}
