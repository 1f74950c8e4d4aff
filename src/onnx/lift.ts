import { mergeDeclared } from './declared-types.ts';
import { ONNX_DOMAIN, type Attribute, type Graph, type Node, type Shape, type TensorType } from './graph.ts';
import { GraphBuilder } from './builder.ts';
import { lifts } from './lifts/index.ts';
import type { RawGraph, RawNode } from './raw-graph.ts';
import { requireSupportedOp } from './supported-ops.ts';
import { ModelError } from '../core/errors.ts';

/**
 * Brings every node to `INTERNAL_OPSET`, infers types on the way, and gives nodes without a name, or
 * with one that is taken, a readable name of their own.
 * @throws ModelError for operators that are not supported; TypeError or RangeError where a node does not fit its inputs.
 */
export function liftGraph(raw: RawGraph): Graph {
  return lifted(raw, undefined, new Set());
}

function lifted(raw: RawGraph, outer: GraphBuilder | undefined, nodeNames: Set<string>): Graph {
  const builder = new GraphBuilder(raw.name, outer === undefined ? {} : { outer });
  builder.reserve(ownNames(raw));
  for (const { name, type } of raw.inputs) {
    if (type === undefined)
      throw new ModelError(
        `Input "${name}" must be a tensor of a declared type; sequences, maps and optionals are not supported.`,
      );
    builder.input(name, type.dtype, closedShape(type.shape, builder));
  }
  for (const [name, value] of raw.initializers) builder.initializer(name, value);
  for (const item of raw.nodes) addLifted(item, raw, builder, nodeNames);
  for (const { name, type } of raw.outputs) {
    if (type !== undefined) declare(builder, name, type);
    builder.output(name);
  }
  return builder.build();
}

function ownNames(raw: RawGraph): string[] {
  const inputs = [...raw.inputs, ...raw.outputs].map(({ name }) => name);
  return [...inputs, ...raw.initializers.keys(), ...raw.nodes.flatMap((node) => [node.name, ...node.outputs])];
}

function addLifted(item: RawNode, raw: RawGraph, builder: GraphBuilder, nodeNames: Set<string>): void {
  requireSupportedOp(item);
  const node: Node = {
    name: uniqueNodeName(item, nodeNames),
    opType: item.opType,
    domain: item.domain,
    inputs: withoutTrailingBlanks(item.inputs),
    outputs: withoutTrailingBlanks(item.outputs),
    attributes: closedAttributes(item, builder, nodeNames),
  };
  const lift = node.domain === ONNX_DOMAIN ? lifts[node.opType] : undefined;
  const result = lift === undefined ? node : inContext(node, () => lift(node, item.opset, builder));
  builder.addNode(result);
  for (const output of result.outputs) {
    const declared = raw.declared.get(output);
    if (declared !== undefined && builder.typeIfKnown(output)?.shape === undefined) declare(builder, output, declared);
  }
}

/** Lets an error name the node it is about. */
function inContext<T>(node: Node, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && !error.message.includes(node.name))
      error.message = `${node.name} (${node.opType}): ${error.message}`;
    throw error;
  }
}

function uniqueNodeName(node: RawNode, taken: Set<string>): string {
  const base = node.name === '' ? `${node.opType}_${taken.size}` : node.name;
  let name = base;
  for (let i = 1; taken.has(name); i++) name = `${base}_${i}`;
  taken.add(name);
  return name;
}

function withoutTrailingBlanks(names: readonly string[]): string[] {
  let end = names.length;
  while (end > 0 && names[end - 1] === '') end--;
  return names.slice(0, end);
}

function closedAttributes(node: RawNode, builder: GraphBuilder, nodeNames: Set<string>): Record<string, Attribute> {
  const attributes: Record<string, Attribute> = {};
  for (const [name, value] of node.attributes) {
    if (value.kind === 'reference')
      throw new ModelError(
        `"${node.name}" (${node.opType}) refers to a function's attribute "${value.name}" outside of a function.`,
      );
    attributes[name] =
      value.kind === 'body' ? { kind: 'graph', value: lifted(value.value, builder, nodeNames) } : value;
  }
  return attributes;
}

function declare(builder: GraphBuilder, name: string, type: TensorType): void {
  if (!builder.has(name)) throw new ModelError(`Output "${name}" is made by no node.`);
  const declared: TensorType = { dtype: type.dtype, shape: closedShape(type.shape, builder) };
  builder.declareType(name, mergeDeclared(name, builder.typeIfKnown(name), declared));
}

/** Sides that the file leaves open become symbols. */
function closedShape(shape: Shape | undefined, builder: GraphBuilder): Shape | undefined {
  return shape?.map((side) => (side === '' ? builder.unknownDim() : side));
}
