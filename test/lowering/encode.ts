import { create, toBinary } from '@bufbuild/protobuf';
import type { Tensor } from '../../src/core/tensor.ts';
import { ModelProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import type { Attribute, Graph, TensorType } from '../../src/onnx/graph.ts';

const CODES: Record<string, number> = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float64: 11 };

export function encode(graph: Graph): Uint8Array {
  const domains = new Set(graph.nodes.map((node) => node.domain).filter((domain) => domain !== ''));
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    opsetImport: [{ domain: '', version: 22n }, ...[...domains].map((domain) => ({ domain, version: 1n }))],
    graph: {
      name: graph.name,
      input: graph.inputs.map(({ name, type }) => info(name, type)),
      output: graph.outputs.map(({ name, type }) => info(name, type)),
      initializer: [...graph.initializers].map(([name, value]) => proto(value, name)),
      node: graph.nodes.map((node) => ({
        name: node.name,
        opType: node.opType,
        domain: node.domain,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes).map(
          ([name, value]) => ({ name, ...attributeProto(value) }) as object,
        ),
      })),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

function info(name: string, type: TensorType) {
  const dim = (type.shape ?? []).map((side) =>
    typeof side === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(side) } }
      : { value: { case: 'dimParam' as const, value: side } },
  );
  return {
    name,
    type: { value: { case: 'tensorType' as const, value: { elemType: CODES[type.dtype]!, shape: { dim } } } },
  };
}

function proto(value: Tensor, name = '') {
  const data = value.data as Float32Array;
  return {
    name,
    dims: value.shape.map(BigInt),
    dataType: CODES[value.dtype]!,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function attributeProto(attribute: Attribute) {
  switch (attribute.kind) {
    case 'int':
      return { type: 2, i: BigInt(attribute.value) };
    case 'float':
      return { type: 1, f: attribute.value };
    case 'string':
      return { type: 3, s: new TextEncoder().encode(attribute.value) };
    case 'ints':
      return { type: 7, ints: attribute.value.map(BigInt) };
    case 'floats':
      return { type: 6, floats: [...attribute.value] };
    case 'tensor':
      return { type: 4, t: proto(attribute.value) };
    default:
      throw new TypeError(`No encoding for ${attribute.kind}.`);
  }
}
