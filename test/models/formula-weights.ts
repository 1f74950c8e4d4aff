import { sizeOf, tensor, type Tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/onnx/graph.ts';

/** The numbers of `noise` in golden/make-logits.py: [-1, 1) from a hash of (name, index). */
export function noise(name: string, count: number): Float64Array {
  let seed = 2166136261;
  for (const code of new TextEncoder().encode(name)) seed = Math.imul(seed ^ code, 16777619);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 2654435761) + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    values[i] = (x >>> 0) / 2147483648 - 1;
  }
  return values;
}

/** The weights of `value` in golden/make-logits.py. */
export function formulaWeight(name: string, shape: readonly number[]): Tensor {
  const [offset, factor] = name.endsWith('running_var')
    ? [1, 0.5]
    : name.endsWith('gamma')
      ? [0.5, 0.2]
      : /(bias|running_mean)$/.test(name)
        ? [0, 0.1]
        : shape.length === 1
          ? [1, 0.2]
          : name === 'cls_token' || name === 'pos_embed'
            ? [0, 0.2]
            : [0, Math.sqrt(6 / sizeOf(shape.slice(1))) * 0.7];
  return tensor(
    'float32',
    shape,
    Float32Array.from(noise(name, sizeOf(shape)), (u) => offset + factor * u),
  );
}

/** Every weight and statistic of a graph by the formula. */
export function formulaWeights(graph: Graph): Map<string, Tensor> {
  const weights = [...graph.initializers].filter(([, { dtype, shape }]) => dtype === 'float32' && shape.length > 0);
  return new Map(weights.map(([name, { shape }]) => [name, formulaWeight(name, shape)]));
}
