import { fromNumbers } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/** The diagonal [N] of a matrix [N, N]. */
export function diagonal(b: GraphBuilder, matrix: string): string {
  const [n] = b.shape(matrix) as [number];
  const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const kept = b.op('Mul', [matrix, b.constant(fromNumbers(b.type(matrix).dtype, [n, n], identity))]);
  return b.op('ReduceSum', [kept, b.int([1])], { keepdims: 0 });
}
