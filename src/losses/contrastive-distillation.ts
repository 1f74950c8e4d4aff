import type { GraphBuilder } from '../onnx/builder.ts';
import { diagonal } from './diagonal.ts';
import { featureShapes } from './features.ts';
import { reduceLosses, type Reduction } from './reduction.ts';
import { soften } from './soften.ts';
import { unitVectors } from './unit-vectors.ts';

export interface ContrastiveDistillationOptions {
  /** What cosines are divided by, over 0. Default 0.07, the authors'. */
  readonly temperature?: number;
  /** Value of shape [N]: what each sample counts for as the one that is looked for; all serve as the others. */
  readonly sampleWeights?: string;
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/**
 * Contrastive representation distillation, in its in-batch form: among the teacher's embeddings of the batch, the student's of
 * an image must find that of the same image, and the other way round. With c_ij the cosine of student's i and teacher's j over
 * the temperature, l_i = -ln(e^c_ii / sum over j e^c_ij) - ln(e^c_ii / sum over j e^c_ji). Tian et al. 2020 (arXiv:1910.10699).
 *
 * Where it is not theirs (section 3.1): the others are those of the batch, not thousands out of a memory of all images' past
 * embeddings, so it wants large batches; a softmax over them (InfoNCE, van den Oord et al. 2018, arXiv:1807.03748) takes the
 * place of noise-contrastive estimation, of which it is the form without a constant to estimate; and images of the same class
 * are among the others, as no labels are asked for. Both directions are added up, as theirs are.
 *
 * It is a loss of the batch: what a step's batch is divided into changes it.
 * @param student value [N, D], projected as the caller likes (the authors have a linear layer on each side, both trained)
 * @param teacher value [N, D]
 * @returns a scalar value; [N] with reduction `none`
 * @throws TypeError, RangeError where shapes or options do not fit.
 * @example
 * const projected = builder.op('MatMul', ['embedding', projection]);
 * const loss = contrastiveDistillation(builder, projected, builder.input('teacher', 'float32', [64, 128]));
 */
export function contrastiveDistillation(
  b: GraphBuilder,
  student: string,
  teacher: string,
  options: ContrastiveDistillationOptions = {},
): string {
  const { temperature = 0.07, reduction = 'mean' } = options;
  const [[n, width], [, other]] = featureShapes(b, student, teacher, [2]) as [number[], number[]];
  if (width !== other)
    throw new TypeError(`Embeddings must be projected to one width, got ${width} (student) and ${other} (teacher).`);
  if (n! < 2) throw new TypeError(`A batch must hold others to tell an image from: at least 2 samples, got ${n}.`);
  const [s, t] = [unitVectors(b, student, 1), unitVectors(b, teacher, 1)];
  const cosines = b.op('MatMul', [s, b.op('Transpose', [t], { perm: [1, 0] })]);
  const logits = soften(b, cosines, temperature);
  const both = b.op('Add', [b.op('LogSoftmax', [logits], { axis: 1 }), b.op('LogSoftmax', [logits], { axis: 0 })]);
  const losses = b.op('Neg', [diagonal(b, both)]);
  return reduceLosses(b, losses, reduction, options.sampleWeights, undefined);
}
