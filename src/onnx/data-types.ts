import type { DataType } from '../core/tensor.ts';

/** `TensorProto.DataType` codes of the types that Gleaner reads; complex and 8-bit floats are not among them. */
const CODES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
} as const satisfies Record<DataType, number>;

const TYPES = new Map<number, DataType>(
  Object.entries(CODES).map(([dtype, code]) => [code, dtype as DataType] as const),
);

/** ONNX's number for a type, as in `Cast`'s attribute `to`. */
export function dataTypeCode(dtype: DataType): number {
  return CODES[dtype];
}

/** The type behind ONNX's number, or undefined where Gleaner has none for it. */
export function dataTypeOfCode(code: number): DataType | undefined {
  return TYPES.get(code);
}

export function isFloating(dtype: DataType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}
