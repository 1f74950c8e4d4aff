import type { GraphBuilder } from '../onnx/builder.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { divergence, soften } from './soften.ts';
import { constantLike, logitsShape, targets } from './targets.ts';
import { teacherLabels, teacherLogits, type Teacher } from './teacher.ts';
import { weightedTerms } from './weighted-terms.ts';

export interface DecoupledDistillationOptions {
  /** Value int64 [N]: the true classes. Default: those that the teacher holds for the most probable. */
  readonly labels?: string;
  /** What the target class against all others counts for. Default 1. */
  readonly alpha?: number;
  /** What the distribution over the other classes counts for. Default 8, the authors' for most pairs on CIFAR-100. */
  readonly beta?: number;
  /** T, over 0. Default 4. */
  readonly temperature?: number;
  /** Value of shape [N]: what each sample counts for. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/** Added to the logit of a class that is taken out: its probability is then 0. The authors' -1000 may be too little. */
const OUT = -1e30;

/**
 * Decoupled knowledge distillation, l = T² (alpha KL(b_teacher || b_student) + beta KL(q_teacher || q_student)): b is the pair
 * of the target class's probability and that of all others, q the distribution over those others. Zhao et al. 2022
 * (arXiv:2203.08679), eq. 7, with T² on both terms as in the authors' code, without its warm-up. Plain distillation is alpha 1
 * and a beta of each sample's own, 1 less the teacher's probability of the target (eq. 6).
 *
 * Through logarithms, where the authors' code takes the logarithm of a sum of probabilities. A teacher that gives all others
 * probability 0 holds them for equally probable.
 * @param logits the student's, value [N, K] with K of at least 2
 * @param teacher of the same shape; probabilities may be 0
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const loss = decoupledDistillation(builder, 'logits', { logits: 'teacher' }, { labels: 'labels', beta: 2 });
 */
export function decoupledDistillation(
  b: GraphBuilder,
  logits: string,
  teacher: Teacher,
  options: DecoupledDistillationOptions = {},
): string {
  const { alpha = 1, beta = 8, temperature = 4, reduction = 'mean' } = options;
  const [n, classes] = logitsShape(b, logits);
  if (classes < 2)
    throw new TypeError(`Decoupled distillation needs at least 2 classes, got logits [${n}, ${classes}].`);
  const target = targets(b, logits, options.labels ?? teacherLabels(b, logits, teacher));
  if (!target.fromIndices)
    throw new TypeError(`Decoupled distillation needs one true class a sample, int64 [${n}], got distributions.`);
  const split = (value: string): { pair: string; others: string } => {
    const softened = soften(b, value, temperature);
    const others = b.op('Add', [softened, b.op('Mul', [target.value, constantLike(b, logits, OUT)])]);
    const own = b.op('ReduceSum', [b.op('Mul', [softened, target.value]), b.int([1])], { keepdims: 1 });
    const rest = b.op('ReduceLogSumExp', [others, b.int([1])], { keepdims: 1 });
    return { pair: b.op('Concat', [own, rest], { axis: 1 }), others };
  };
  const [ofTeacher, ofStudent] = [split(teacherLogits(b, logits, teacher)), split(logits)];
  const sum = weightedTerms(b, logits, {
    alpha: { weight: alpha, value: () => divergence(b, ofTeacher.pair, ofStudent.pair) },
    beta: { weight: beta, value: () => divergence(b, ofTeacher.others, ofStudent.others) },
  });
  const losses = b.op('Mul', [sum, constantLike(b, logits, temperature ** 2)]);
  return reduceLosses(b, losses, reduction, options.sampleWeights, undefined);
}
