import { fromNumbers } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/**
 * Averages a map [N, C, H, W] down to [N, C, height, width], each no larger than before: output i of a side of n is the mean
 * of the inputs from floor(i H / n) to below ceil((i + 1) H / n), as PyTorch's `adaptive_avg_pool2d`. As matrix products, for
 * ONNX has no pool of uneven windows.
 */
export function adaptiveAveragePool(b: GraphBuilder, map: string, height: number, width: number): string {
  const [, , h, w] = b.shape(map) as [number, number, number, number];
  const { dtype } = b.type(map);
  const windows = (from: number, to: number): number[][] =>
    Array.from({ length: to }, (_, i) => {
      const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
      return Array.from({ length: from }, (__, j) => (j >= start && j < end ? 1 / (end - start) : 0));
    });
  let pooled = map;
  if (height !== h)
    pooled = b.op('MatMul', [b.constant(fromNumbers(dtype, [height, h], windows(h, height).flat())), pooled]);
  if (width !== w) {
    const rows = windows(w, width);
    const columns = Array.from({ length: w }, (_, j) => rows.map((row) => row[j]!));
    pooled = b.op('MatMul', [pooled, b.constant(fromNumbers(dtype, [w, width], columns.flat()))]);
  }
  return pooled;
}

/** Two maps [N, C, H, W] and [N, C', H', W'], each averaged down to the smaller height and width of both. */
export function toCommonSize(b: GraphBuilder, first: string, second: string): [string, string] {
  const [[, , h1, w1], [, , h2, w2]] = [b.shape(first), b.shape(second)];
  const [height, width] = [Math.min(h1!, h2!), Math.min(w1!, w2!)];
  return [adaptiveAveragePool(b, first, height, width), adaptiveAveragePool(b, second, height, width)];
}
