import type { GraphBuilder } from '../onnx/builder.ts';
import { constantLike, logitsShape } from './targets.ts';

/** What a teacher says of a batch, a value [N, K] of the student's type: logits, or probabilities at temperature 1. */
export type Teacher = { readonly logits: string } | { readonly probabilities: string };

/**
 * Stands for ln 0, so that a class of probability 0 keeps it at any temperature and nothing becomes infinite. Far below any
 * logit, and far above what takes a class out altogether (`decoupledDistillation`).
 */
const LOG_OF_ZERO = -1e15;

/**
 * The teacher's logits; of probabilities their logarithms, which differ from the logits by a constant a sample:
 * softmax(ln(p) / T) is p^(1/T), renormalised.
 * @returns value [N, K]
 * @throws TypeError where shape or type are not those of the student's logits
 */
export function teacherLogits(b: GraphBuilder, student: string, teacher: Teacher): string {
  const [n, classes] = logitsShape(b, student);
  const value = 'logits' in teacher ? teacher.logits : teacher.probabilities;
  const [{ dtype }, given] = [b.type(student), b.type(value)];
  if (given.dtype !== dtype || String(given.shape) !== String([n, classes]))
    throw new TypeError(
      `The teacher of logits ${dtype} [${n}, ${classes}] must be of that type and shape, ` +
        `got ${given.dtype} [${given.shape ?? '?'}].`,
    );
  if ('logits' in teacher) return value;
  const isZero = b.op('CastLike', [b.op('Equal', [value, constantLike(b, student, 0)]), value]);
  const logarithms = b.op('Log', [b.op('Add', [value, isZero])]);
  return b.op('Add', [logarithms, b.op('Mul', [isZero, constantLike(b, student, LOG_OF_ZERO)])]);
}

/** The teacher's class of each sample, int64 [N]. */
export function teacherLabels(b: GraphBuilder, student: string, teacher: Teacher): string {
  return b.op('ArgMax', [teacherLogits(b, student, teacher)], { axis: 1, keepdims: 0 });
}
