import { LEAST_LENGTH } from '../core/rows-of-length-one.ts';
import { float32Scalar } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/** As `rowsOfLengthOne` computes it. @param embedding name of a float32 value [N, D] @returns name of one of the same shape */
export function addDirection(
  b: GraphBuilder,
  embedding: string,
  names: { readonly length: string; readonly positive: string; readonly direction: string },
): string {
  const length = b.op('ReduceL2', [embedding, b.int([1])], { keepdims: 1 }, { name: names.length });
  const positive = b.op('Max', [length, b.constant(float32Scalar(LEAST_LENGTH))], {}, { name: names.positive });
  return b.op('Div', [embedding, positive], {}, { name: names.direction });
}
