import { bytesPerElement, sizeOf } from '../core/tensor.ts';
import type { Shape, TensorType } from '../onnx/graph.ts';

/** What a value takes in memory; 0 where its shape is not known. */
export function valueBytes(
  type: (Pick<TensorType, 'dtype'> & { readonly shape: Shape | undefined }) | undefined,
): number {
  if (type?.shape === undefined || type.dtype === 'string' || type.shape.some((side) => typeof side === 'string'))
    return 0;
  return bytesPerElement(type.dtype) * sizeOf(type.shape as readonly number[]);
}
