import type { Tensor, TensorData } from '../core/tensor.ts';

/**
 * Tensors as they are posted to another thread. A view would drag its whole buffer along (a tensor that
 * is a slice of a 50 MB file), so what is not handed over is copied tightly, once, and the copy is moved.
 * @param transfer hands over the memory of tensors that fill their buffer; it is gone for the caller.
 */
export function packTensors(
  tensors: Readonly<Record<string, Tensor>>,
  transfer: boolean,
): { tensors: Record<string, Tensor>; buffers: ArrayBuffer[] } {
  const buffers = new Set<ArrayBuffer>();
  const packed: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(tensors)) {
    const data = transfer && isWhole(value.data) ? value.data : copyOf(value.data);
    if (!Array.isArray(data)) buffers.add(data.buffer as ArrayBuffer);
    packed[name] = { dtype: value.dtype, shape: value.shape, data };
  }
  return { tensors: packed, buffers: [...buffers] };
}

/** The buffers of all typed arrays in a value made of plain objects and arrays. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) buffersOf(inner, found);
  return found;
}

function isWhole(data: TensorData): boolean {
  return !Array.isArray(data) && data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
}

/** A Buffer's own `slice` shares its memory, which would then be moved under the caller's feet. */
export function copyOf(data: TensorData): TensorData {
  return data instanceof Uint8Array ? Uint8Array.prototype.slice.call(data) : data.slice();
}
