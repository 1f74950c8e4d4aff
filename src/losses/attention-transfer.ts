import type { GraphBuilder } from '../onnx/builder.ts';
import { toCommonSize } from './adaptive-average-pool.ts';
import { featureShapes } from './features.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { constantLike } from './targets.ts';
import { unitVectors } from './unit-vectors.ts';

export interface AttentionTransferOptions {
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Attention transfer: where a network looks, whatever its channels are. A map's attention is the mean over its channels of the
 * squares, as a vector of length 1; l is the mean over positions of the squared difference of student's and teacher's.
 * Zagoruyko and Komodakis 2017 (arXiv:1612.03928), eq. 2 with their F²_sum, squared and averaged as in the authors' code, where
 * it counts for 1000 beside cross-entropy. A map that is 0 everywhere has an attention of 0, and no gradient.
 * @param student value [N, C, H, W]
 * @param teacher value [N, C', H', W']; where the sizes differ, the larger map is averaged down to the smaller one
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError where shapes do not fit.
 * @example
 * const loss = attentionTransfer(builder, 'layer3', builder.input('teacher_layer3', 'float32', [8, 256, 8, 8]));
 */
export function attentionTransfer(
  b: GraphBuilder,
  student: string,
  teacher: string,
  options: AttentionTransferOptions = {},
): string {
  featureShapes(b, student, teacher, [4]);
  const [s, t] = toCommonSize(b, student, teacher).map((map) => attention(b, map)) as [string, string];
  const squares = b.op('ReduceSumSquare', [b.op('Sub', [s, t]), b.int([1])], { keepdims: 0 });
  const losses = b.op('Mul', [squares, constantLike(b, student, 1 / b.shape(s)[1]!)]);
  return reduceLosses(b, losses, options.reduction ?? 'mean', options.sampleWeights, undefined);
}

/** [N, H W] of [N, C, H, W], each row of length 1; so the sum over channels serves as their mean does. */
function attention(b: GraphBuilder, map: string): string {
  const squares = b.op('ReduceSumSquare', [map, b.int([1])], { keepdims: 0 });
  return unitVectors(b, b.op('Flatten', [squares], { axis: 1 }), 1);
}
