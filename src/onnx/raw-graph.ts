import type { Tensor } from '../core/tensor.ts';
import type { Attribute, TensorType } from './graph.ts';

/** A graph as its file has it: not lifted, not inferred, local functions still called by name. */
export interface RawGraph {
  readonly name: string;
  /** Inputs without those that are initializers too. */
  readonly inputs: readonly RawValue[];
  readonly outputs: readonly RawValue[];
  /** In an order in which every value is made before it is read. */
  readonly nodes: readonly RawNode[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** What the file says about other values (`value_info`). */
  readonly declared: ReadonlyMap<string, TensorType>;
}

/** A side that the file leaves open is an empty string in `type.shape`. */
export interface RawValue {
  readonly name: string;
  readonly type: TensorType | undefined;
}

export interface RawNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Chooses among functions of one name; empty for operators. */
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, RawAttribute>;
  /** The opset of ONNX's domain in which the node is to be understood. */
  readonly opset: number;
}

export type RawAttribute =
  | Exclude<Attribute, { kind: 'graph' }>
  | { readonly kind: 'body'; readonly value: RawGraph }
  /** The attribute `name` of the function around the node. */
  | { readonly kind: 'reference'; readonly name: string };

export interface RawFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly RawNode[];
  /** Attributes with a default value. */
  readonly defaults: ReadonlyMap<string, RawAttribute>;
}

/** Every value a node reads, those that its bodies capture included. */
export function readNames(node: RawNode): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const value of node.attributes.values()) {
    if (value.kind !== 'body') continue;
    const { inputs, nodes, outputs, initializers } = value.value;
    const own = new Set([...inputs.map((input) => input.name), ...initializers.keys()]);
    for (const inner of nodes) for (const name of inner.outputs) own.add(name);
    const read = [...nodes.flatMap(readNames), ...outputs.map((output) => output.name)];
    names.push(...read.filter((name) => !own.has(name)));
  }
  return names;
}
