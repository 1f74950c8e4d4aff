import type { GraphBuilder } from '../onnx/builder.ts';
import { crossEntropy } from './cross-entropy.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { divergence, soften } from './soften.ts';
import { constantLike } from './targets.ts';
import { teacherLabels, teacherLogits, type Teacher } from './teacher.ts';

export interface DistillationOptions {
  /** T, over 0. Default 4. Hard targets have none. */
  readonly temperature?: number;
  /** The teacher's distribution, or its most probable class alone. Default `soft`. */
  readonly targets?: 'soft' | 'hard';
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Knowledge distillation, l = T² KL(p_teacher || p_student) with p = softmax(z / T), summed over the classes. Hinton et al.
 * 2015 (arXiv:1503.02531), section 2; their cross-entropy of soft targets differs from it by the teacher's entropy, which
 * has no gradient. T² belongs to the loss, whatever counts beside it: the gradient then keeps its size at any T, and tends to
 * (z_student - z_teacher) / K a class, of logits less their means, as T grows (eq. 4).
 *
 * With hard targets it is cross-entropy with the teacher's class, without T.
 * @param logits the student's, value [N, K]
 * @param teacher of the same shape; probabilities p become p^(1/T), renormalised, and may be 0
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const teacher = builder.input('teacher', 'float32', [8, 10]);
 * const loss = distillation(builder, 'logits', { probabilities: teacher }, { temperature: 4 });
 */
export function distillation(
  b: GraphBuilder,
  logits: string,
  teacher: Teacher,
  options: DistillationOptions = {},
): string {
  const { targets = 'soft', reduction = 'mean', sampleWeights } = options;
  if (targets === 'hard') {
    if (options.temperature !== undefined)
      throw new RangeError(`Hard targets have no temperature, got ${options.temperature}.`);
    const labels = teacherLabels(b, logits, teacher);
    return crossEntropy(b, logits, labels, { reduction, ...(sampleWeights !== undefined && { sampleWeights }) });
  }
  const { temperature = 4 } = options;
  const target = soften(b, teacherLogits(b, logits, teacher), temperature);
  const divergences = divergence(b, target, soften(b, logits, temperature));
  const losses = b.op('Mul', [divergences, constantLike(b, logits, temperature ** 2)]);
  return reduceLosses(b, losses, reduction, sampleWeights, undefined);
}
