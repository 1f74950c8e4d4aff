import { allocate, sizeOf, toNumbers, type DataType, type Tensor, type TensorData } from '../../core/tensor.ts';
import type { Node, TensorType } from '../graph.ts';

/** What a constant node is evaluated from. */
export interface Evaluation {
  readonly node: Node;
  /** Undefined where an optional input is absent. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** The outputs' types, as inference gives them: shapes are numbers. */
  readonly outputs: readonly TensorType[];
}

/** The outputs of a node whose inputs are all known, or undefined where this form of the op is not evaluated. */
export type Kernel = (evaluation: Evaluation) => readonly Tensor[] | undefined;

export function inputAt({ inputs }: Evaluation, index: number): Tensor {
  return inputs[index]!;
}

/** An input's elements as numbers; `fallback` where it is absent. */
export function numbersAt({ inputs }: Evaluation, index: number, fallback: readonly number[] = []): readonly number[] {
  const value = inputs[index];
  return value === undefined ? fallback : toNumbers(value);
}

export function shapeAt({ outputs }: Evaluation, index = 0): number[] {
  return outputs[index]!.shape as number[];
}

/** A tensor of numbers; integers beyond the type's range stay at its end, as sentinels are meant. */
export function fromValues(dtype: DataType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const data = allocate(dtype, sizeOf(shape));
  if (dtype === 'int64') for (let i = 0; i < values.length; i++) (data as BigInt64Array)[i] = clampedInt64(values[i]!);
  else if (dtype === 'uint64')
    for (let i = 0; i < values.length; i++) (data as BigUint64Array)[i] = BigInt(Math.trunc(values[i]!));
  else if (dtype === 'bool') for (let i = 0; i < values.length; i++) (data as Uint8Array)[i] = values[i] === 0 ? 0 : 1;
  else for (let i = 0; i < values.length; i++) (data as Float32Array)[i] = values[i]!;
  return { dtype, shape, data };
}

function clampedInt64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  return value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Math.trunc(value));
}

/** The elements of `source` at `indices`, in a tensor of `shape`; exact for every type. */
export function take(source: Tensor, indices: ArrayLike<number>, shape: readonly number[]): Tensor {
  const data = allocate(source.dtype, indices.length) as (number | bigint | string)[];
  for (let i = 0; i < indices.length; i++) data[i] = (source.data as (number | bigint | string)[])[indices[i]!]!;
  return { dtype: source.dtype, shape, data: data as unknown as TensorData };
}

/** Elements to step over for one step along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = Array.from({ length: shape.length }, () => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** For each element of `shape` in order: `offset` + sum of its coordinates times `strides`. */
export function walk(shape: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  const result = new Int32Array(sizeOf(shape));
  const at = shape.map(() => 0);
  let position = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = position;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      position -= strides[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return result;
}

/** Where each element of the broadcast `to` comes from in a tensor of shape `from`. */
export function broadcastIndices(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  return walk(
    to,
    to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!)),
  );
}
