import { create } from '@bufbuild/protobuf';
import { ModelError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { dataTypeCode } from './data-types.ts';
import type { Attribute, Graph, Node, TensorType } from './graph.ts';
import { attributesFor } from './opset-choice.ts';
import {
  AttributeProto_AttributeType as Type,
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './proto/onnx_pb.ts';
import { isUnknownDim } from './unknown-dims.ts';

/** The graph as the file format has it, for readers of ONNX's opset `opset`. */
export function encodeGraph(graph: Graph, opset: number): GraphProto {
  const named = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const made = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== '' && !named.has(name)));
  const typed = made.filter((name) => graph.types.get(name)?.shape !== undefined);
  return create(GraphProtoSchema, {
    name: graph.name === '' ? 'graph' : graph.name,
    node: graph.nodes.map((node) => encodeNode(node, opset)),
    initializer: [...graph.initializers].map(([name, value]) => encodeTensor(name, value)),
    input: graph.inputs.map(({ name, type }) => encodeValue(name, type)),
    output: graph.outputs.map(({ name, type }) => encodeValue(name, type)),
    valueInfo: typed.map((name) => encodeValue(name, graph.types.get(name)!)),
  });
}

function encodeNode(node: Node, opset: number): NodeProto {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(attributesFor(node, opset)).map(([name, value]) => encodeAttribute(name, value, opset)),
  });
}

function encodeAttribute(name: string, attribute: Attribute, opset: number): AttributeProto {
  const encoder = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: Type.STRING, s: encoder.encode(attribute.value) });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: Type.TENSOR, t: encodeTensor('', attribute.value) });
    case 'graph':
      return create(AttributeProtoSchema, { name, type: Type.GRAPH, g: encodeGraph(attribute.value, opset) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: Type.INTS, ints: attribute.value.map(BigInt) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: Type.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: Type.STRINGS,
        strings: attribute.value.map((text) => encoder.encode(text)),
      });
    default:
      return attribute satisfies never;
  }
}

/** Numbers as raw bytes: the shortest form, and the fastest to read. */
function encodeTensor(name: string, { dtype, shape, data }: Tensor): TensorProto {
  const common = { name, dataType: dataTypeCode(dtype), dims: shape.map(BigInt) };
  if (Array.isArray(data)) {
    const encoder = new TextEncoder();
    return create(TensorProtoSchema, { ...common, stringData: data.map((text) => encoder.encode(text)) });
  }
  const packed = dtype === 'int4' || dtype === 'uint4';
  const rawData = packed
    ? packNibbles(data as Int8Array)
    : new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, { ...common, rawData });
}

function packNibbles(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 2));
  for (let i = 0; i < values.length; i++) bytes[i >> 1]! |= (values[i]! & 15) << (4 * (i & 1));
  return bytes;
}

function encodeValue(name: string, type: TensorType): ValueInfoProto {
  const dim = type.shape?.map((side) => {
    if (typeof side === 'number')
      return create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(side) } });
    if (isUnknownDim(side)) return create(TensorShapeProto_DimensionSchema, {});
    return create(TensorShapeProto_DimensionSchema, { value: { case: 'dimParam', value: side } });
  });
  const tensor = create(TypeProto_TensorSchema, {
    elemType: dataTypeCode(type.dtype),
    ...(dim && { shape: create(TensorShapeProtoSchema, { dim }) }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}

/** A file holds less than 2 GB: protobuf's limit, and ONNX Runtime's. */
const MOST_BYTES = 2 ** 31 - 1;

/** @throws ModelError where the graph's tensors alone pass what one file can hold. */
export function requireFits(graph: Graph): void {
  let bytes = 0;
  for (const { data } of graph.initializers.values()) if (!Array.isArray(data)) bytes += data.byteLength;
  if (bytes > MOST_BYTES)
    throw new ModelError(
      `The model's weights take ${(bytes / 1e9).toFixed(1)} GB; an ONNX file without external data holds at most 2.1 GB.`,
    );
}
