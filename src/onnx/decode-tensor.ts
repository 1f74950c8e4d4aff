import { ModelError } from '../core/errors.ts';
import {
  allocate,
  bytesPerElement,
  tensor,
  viewBytes,
  type DataType,
  type Tensor,
  type TensorData,
} from '../core/tensor.ts';
import { dataTypeOfCode } from './data-types.ts';
import { readExternalData } from './external-data.ts';
import { TensorProto_DataLocation, TensorProto_DataType, type TensorProto } from './proto/onnx_pb.ts';

/**
 * A tensor as ONNX stores it, in any of its encodings: raw bytes, typed fields, or a file beside the model.
 * The elements may share memory with the bytes the model was read from.
 * @throws ModelError for a type Gleaner has none for, and for a size that does not fit the shape.
 */
export function decodeTensor(proto: TensorProto, folder: string | undefined): Tensor {
  const label = `Tensor "${proto.name}"`;
  const dtype = dataTypeOfCode(proto.dataType);
  if (dtype === undefined)
    throw new ModelError(`${label} is of type ${nameOfCode(proto.dataType)}, which is not supported.`);
  if (proto.segment !== undefined)
    throw new ModelError(`${label} is a segment of a larger tensor, which is not supported.`);
  const shape = proto.dims.map(Number);
  const size = shape.reduce((product, side) => product * side, 1);
  if (shape.some((side) => side < 0) || !Number.isSafeInteger(size))
    throw new ModelError(`${label} has the impossible shape [${shape}].`);
  return tensor(dtype, shape, elements(proto, dtype, size, folder, label));
}

/** The name of a type in the file format, for messages. */
export function nameOfCode(code: number): string {
  return Object.entries(TensorProto_DataType).find(([, value]) => value === code)?.[0] ?? `number ${code}`;
}

function elements(
  proto: TensorProto,
  dtype: DataType,
  size: number,
  folder: string | undefined,
  label: string,
): TensorData {
  const external = proto.dataLocation === TensorProto_DataLocation.EXTERNAL;
  if (dtype === 'string') {
    if (external) throw new ModelError(`${label} holds strings, which can not be external data.`);
    requireCount(proto.stringData.length, size, label);
    const decoder = new TextDecoder();
    return proto.stringData.map((bytes) => decoder.decode(bytes));
  }
  const packed = dtype === 'int4' || dtype === 'uint4';
  const expected = packed ? Math.ceil(size / 2) : size * bytesPerElement(dtype);
  if (!external && proto.rawData.length === 0) return fromFields(proto, dtype, size, label);
  const bytes = external ? readExternalData(proto, folder, expected) : proto.rawData;
  if (bytes.length !== expected)
    throw new ModelError(`${label} of shape [${proto.dims}] takes ${expected} bytes, got ${bytes.length}.`);
  return packed ? unpackNibbles(bytes, dtype, size) : viewBytes(dtype, bytes);
}

function fromFields(proto: TensorProto, dtype: Exclude<DataType, 'string'>, size: number, label: string): TensorData {
  const fields = fieldOf(proto, dtype);
  if (dtype === 'int4' || dtype === 'uint4') {
    requireCount(fields.length, Math.ceil(size / 2), label);
    return unpackNibbles(Uint8Array.from(fields as number[]), dtype, size);
  }
  requireCount(fields.length, size, label);
  const data = allocate(dtype, size) as Float32Array;
  // Small integers, booleans and float16 bits lie in int32 fields; assignment wraps as the format asks.
  for (let i = 0; i < size; i++) data[i] = fields[i] as number;
  return data;
}

function fieldOf(proto: TensorProto, dtype: DataType): readonly (number | bigint)[] {
  if (dtype === 'float32') return proto.floatData;
  if (dtype === 'float64') return proto.doubleData;
  if (dtype === 'int64') return proto.int64Data;
  if (dtype === 'uint64') return proto.uint64Data;
  // uint64 fields hold bigints, a uint32 array numbers.
  if (dtype === 'uint32') return proto.uint64Data.map(Number);
  return proto.int32Data;
}

function requireCount(got: number, expected: number, label: string): void {
  if (got !== expected) throw new ModelError(`${label} has ${got} elements, its shape takes ${expected}.`);
}

/** Two elements a byte, the lower half first. */
function unpackNibbles(bytes: Uint8Array, dtype: 'int4' | 'uint4', size: number): TensorData {
  const data = allocate(dtype, size) as Int8Array;
  for (let i = 0; i < size; i++) {
    const nibble = (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
    data[i] = dtype === 'int4' && nibble > 7 ? nibble - 16 : nibble;
  }
  return data;
}
