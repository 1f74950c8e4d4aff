import { sizeOf, tensor, type Tensor, type TensorData } from '../core/tensor.ts';

/** What a step does with the tensors it takes and gives. */

/** @throws RangeError for another type or shape. */
export function expectTensor(what: string, value: Tensor | undefined, dtype: string, shape: readonly number[]): void {
  if (value?.dtype === dtype && String(value.shape) === String(shape)) return;
  const came = value === undefined ? 'none' : `${value.dtype} [${value.shape}]`;
  throw new RangeError(`A step takes ${what} of ${dtype} [${shape}], got ${came}.`);
}

/** Of a tensor of one element. */
export function scalar(value: Tensor): number {
  return (value.data as Float32Array)[0]!;
}

/** Rows `start` to `start + count`, a view. */
export function slice(value: Tensor, start: number, count: number): Tensor {
  const row = sizeOf(value.shape.slice(1));
  const data = (value.data as Float32Array).subarray(start * row, (start + count) * row) as TensorData;
  return tensor(value.dtype, [count, ...value.shape.slice(1)], data);
}

/** One after the other. */
export function joined(parts: readonly Tensor[]): Float32Array {
  if (parts.length === 1) return parts[0]!.data as Float32Array;
  const result = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return result;
}
