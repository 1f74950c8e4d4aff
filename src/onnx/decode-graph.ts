import { ModelError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { dataTypeOfCode } from './data-types.ts';
import { decodeTensor, nameOfCode } from './decode-tensor.ts';
import type { Dim, TensorType } from './graph.ts';
import {
  AttributeProto_AttributeType as Type,
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  type TypeProto,
  type ValueInfoProto,
} from './proto/onnx_pb.ts';
import type { RawAttribute, RawFunction, RawGraph, RawNode, RawValue } from './raw-graph.ts';
import { sortTopologically } from './topological-order.ts';

/** Where a graph comes from. */
export interface Source {
  /** The model's folder, for external data. */
  readonly folder: string | undefined;
  /** The version of ONNX's domain that nodes are written in. */
  readonly opset: number;
}

/** The file's messages as a `RawGraph`. @throws ModelError for content that Gleaner does not take. */
export function decodeGraph(proto: GraphProto, source: Source): RawGraph {
  if (proto.sparseInitializer.length > 0)
    throw new ModelError(
      `Graph "${proto.name}" has a sparse initializer ("${proto.sparseInitializer[0]!.values?.name ?? ''}"), which is not supported. Store it dense.`,
    );
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name)) throw new ModelError(`Initializer "${tensor.name}" occurs twice.`);
    initializers.set(tensor.name, decodeTensor(tensor, source.folder));
  }
  const nodes: RawNode[] = [];
  for (const node of proto.node.map((item) => decodeNode(item, source))) {
    const constant = constantOf(node);
    if (constant === undefined) nodes.push(node);
    else if (!initializers.has(node.outputs[0]!)) initializers.set(node.outputs[0]!, constant);
    else throw new ModelError(`Constant "${node.outputs[0]}" has the name of another value.`);
  }
  const inputs = proto.input.map(decodeValue).filter((input) => !initializers.has(input.name));
  const declared = new Map<string, TensorType>();
  for (const { name, type } of proto.valueInfo.map(decodeValue)) if (type !== undefined) declared.set(name, type);
  return {
    name: proto.name,
    inputs,
    outputs: proto.output.map(decodeValue),
    nodes: sortTopologically(nodes),
    initializers,
    declared,
  };
}

export function decodeFunction(proto: FunctionProto, source: Source): RawFunction {
  return {
    domain: proto.domain,
    name: proto.name,
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    nodes: sortTopologically(proto.node.map((node) => decodeNode(node, source))),
    defaults: new Map(proto.attributeProto.map((value) => [value.name, decodeAttribute(value, source)])),
  };
}

/** The value of a Constant node, or undefined for another node or one that takes its value from a function's attribute. */
export function constantOf(node: RawNode): Tensor | undefined {
  if (node.opType !== 'Constant' || node.domain !== '') return undefined;
  const entry = [...node.attributes].find(([name]) => name.startsWith('value') || name === 'sparse_value');
  if (entry === undefined) throw new ModelError(`Constant "${node.outputs[0]}" has no value.`);
  const value = entry[1];
  switch (value.kind) {
    case 'tensor':
      return value.value;
    case 'float':
      return { dtype: 'float32', shape: [], data: Float32Array.of(value.value) };
    case 'floats':
      return { dtype: 'float32', shape: [value.value.length], data: Float32Array.from(value.value) };
    case 'int':
      return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(value.value)) };
    case 'ints':
      return { dtype: 'int64', shape: [value.value.length], data: BigInt64Array.from(value.value, BigInt) };
    case 'string':
      return { dtype: 'string', shape: [], data: [value.value] };
    case 'strings':
      return { dtype: 'string', shape: [value.value.length], data: [...value.value] };
    case 'reference':
      return undefined;
    case 'body':
      throw new ModelError(`Constant "${node.outputs[0]}" holds a graph.`);
    default:
      return value satisfies never;
  }
}

function decodeNode(proto: NodeProto, source: Source): RawNode {
  return {
    name: proto.name,
    opType: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(proto.attribute.map((value) => [value.name, decodeAttribute(value, source)])),
    opset: source.opset,
  };
}

function decodeAttribute(proto: AttributeProto, source: Source): RawAttribute {
  if (proto.refAttrName !== '') return { kind: 'reference', name: proto.refAttrName };
  switch (proto.type) {
    case Type.FLOAT:
      return { kind: 'float', value: proto.f };
    case Type.INT:
      return { kind: 'int', value: safeInteger(proto.i) };
    case Type.STRING:
      return { kind: 'string', value: text(proto.s) };
    case Type.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case Type.INTS:
      return { kind: 'ints', value: proto.ints.map(safeInteger) };
    case Type.STRINGS:
      return { kind: 'strings', value: proto.strings.map(text) };
    case Type.TENSOR:
      if (proto.t === undefined) throw new ModelError(`Attribute "${proto.name}" is a tensor without content.`);
      return { kind: 'tensor', value: decodeTensor(proto.t, source.folder) };
    case Type.GRAPH:
      if (proto.g === undefined) throw new ModelError(`Attribute "${proto.name}" is a graph without content.`);
      return { kind: 'body', value: decodeGraph(proto.g, source) };
    default: {
      const kind = Object.entries(Type).find(([, value]) => value === proto.type)?.[0] ?? proto.type;
      throw new ModelError(`Attribute "${proto.name}" is of kind ${kind}, which is not supported.`);
    }
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Integers beyond 2^53 are sentinels ("to the end"); they are cut to the largest safe one. */
function safeInteger(value: bigint): number {
  return Math.min(Math.max(Number(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function decodeValue(proto: ValueInfoProto): RawValue {
  return { name: proto.name, type: proto.type === undefined ? undefined : decodeType(proto.type, proto.name) };
}

/** Undefined for what is not a tensor (sequences, maps, optionals). */
function decodeType(proto: TypeProto, name: string): TensorType | undefined {
  if (proto.value.case !== 'tensorType') return undefined;
  const { elemType, shape } = proto.value.value;
  const dtype = dataTypeOfCode(elemType);
  if (dtype === undefined)
    throw new ModelError(`Value "${name}" is of type ${nameOfCode(elemType)}, which is not supported.`);
  return {
    dtype,
    shape: shape?.dim.map(({ value }): Dim => {
      if (value.case === 'dimValue') return value.value >= 0n ? safeInteger(value.value) : '';
      return value.case === 'dimParam' ? value.value : '';
    }),
  };
}
