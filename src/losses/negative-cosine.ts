import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { unitVectors } from './unit-vectors.ts';

/**
 * Negative cosine similarity of vectors, -p·z / (|p| |z|), between -1 (the same direction) and 1. Chen and He 2021
 * (SimSiam, arXiv:2011.10566), equation 1.
 * @param p value [N, D]
 * @param z value [N, D]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError for shapes that differ or have another rank
 * @example
 * const loss = negativeCosine(builder, 'prediction', 'projection');
 */
export function negativeCosine(b: GraphBuilder, p: string, z: string, reduction: Reduction = 'mean'): string {
  const [shape, other] = [b.shape(p), b.shape(z)];
  if (shape.length !== 2 || String(shape) !== String(other))
    throw new TypeError(`Vectors to compare must both have shape [N, D], got [${shape}] and [${other}].`);
  const similarity = b.op('Mul', [unitVectors(b, p, 1), unitVectors(b, z, 1)]);
  const losses = b.op('Neg', [b.op('ReduceSum', [similarity, b.int([1])], { keepdims: 0 })]);
  return reduceLosses(b, losses, reduction, undefined, undefined);
}
