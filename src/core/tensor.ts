/** Tensors on the JavaScript side: dense, row-major, immutable by convention. */

export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'int4'
  | 'uint4';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

/** `float16` and `bfloat16` hold raw bits in a Uint16Array; `bool` is one byte an element; 4-bit types one byte an element, unpacked. */
export interface Tensor {
  readonly dtype: DataType;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  readonly data: TensorData;
}

const ARRAY_OF = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  int4: Int8Array,
  uint4: Uint8Array,
} as const;

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** Bytes one element takes in memory; `string` has none. */
export function bytesPerElement(dtype: DataType): number {
  if (dtype === 'string') throw new TypeError('A string tensor has no fixed element size.');
  return ARRAY_OF[dtype].BYTES_PER_ELEMENT;
}

/** A zero-filled array (or empty strings) of `size` elements. */
export function allocate(dtype: DataType, size: number): TensorData {
  return dtype === 'string' ? Array.from({ length: size }, () => '') : new ARRAY_OF[dtype](size);
}

/** Views raw little-endian bytes as elements; copies where the bytes are not aligned. */
export function viewBytes(dtype: Exclude<DataType, 'string'>, bytes: Uint8Array): TensorData {
  const Type = ARRAY_OF[dtype];
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT);
}

/**
 * @throws RangeError where the number of elements does not match the shape.
 * @example
 * tensor('float32', [2, 2], new Float32Array([1, 2, 3, 4]));
 */
export function tensor(dtype: DataType, shape: readonly number[], data: TensorData): Tensor {
  if (data.length !== sizeOf(shape))
    throw new RangeError(`A tensor of shape [${shape}] holds ${sizeOf(shape)} elements, got ${data.length}.`);
  return { dtype, shape: [...shape], data };
}

export function zeros(dtype: DataType, shape: readonly number[]): Tensor {
  return { dtype, shape: [...shape], data: allocate(dtype, sizeOf(shape)) };
}

export function float32(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return tensor('float32', shape, Float32Array.from(values));
}

export function float32Scalar(value: number): Tensor {
  return float32([value], []);
}

export function int64(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return tensor(
    'int64',
    shape,
    BigInt64Array.from(values, (value) => BigInt(value)),
  );
}

export function int64Scalar(value: number): Tensor {
  return int64([value], []);
}

/** The elements as plain numbers; float16 and bfloat16 are decoded. @throws TypeError for strings. */
export function toNumbers(value: Tensor): number[] {
  if (value.dtype === 'string') throw new TypeError('A string tensor has no numbers.');
  if (value.dtype === 'float16') return Array.from(value.data as Uint16Array, float16ToNumber);
  if (value.dtype === 'bfloat16') return Array.from(value.data as Uint16Array, bfloat16ToNumber);
  return Array.from(value.data as Float32Array, Number);
}

/** A tensor of `dtype` from plain numbers; integers are truncated toward zero, `bool` is 0 or 1. @throws TypeError for `string`. */
export function fromNumbers(dtype: DataType, shape: readonly number[], values: readonly number[]): Tensor {
  if (dtype === 'string') throw new TypeError('A string tensor can not be made from numbers.');
  if (dtype === 'int64')
    return tensor(
      dtype,
      shape,
      BigInt64Array.from(values, (v) => BigInt(Math.trunc(v))),
    );
  if (dtype === 'uint64')
    return tensor(
      dtype,
      shape,
      BigUint64Array.from(values, (v) => BigInt(Math.trunc(v))),
    );
  if (dtype === 'bool')
    return tensor(
      dtype,
      shape,
      Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)),
    );
  if (dtype === 'float16') return tensor(dtype, shape, Uint16Array.from(values, numberToFloat16));
  if (dtype === 'bfloat16') return tensor(dtype, shape, Uint16Array.from(values, numberToBfloat16));
  return tensor(dtype, shape, ARRAY_OF[dtype].from(values));
}

export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * 2 ** (exponent - 25) * (fraction + 1024);
}

/** Rounds to nearest, ties to even. */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const step = 2 ** (exponent - 10);
  const scaled = magnitude / step;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // `rounded` may carry into the next exponent; the addition below does that by itself.
  return sign | (rounded >= 1024 ? ((exponent + 15) << 10) + (rounded - 1024) : rounded);
}

function bfloat16ToNumber(bits: number): number {
  const word = new Uint32Array([bits << 16]);
  return new Float32Array(word.buffer)[0]!;
}

function numberToBfloat16(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  return Number.isNaN(value) ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
