import { wilsonInterval } from '../../evaluate/interval.ts';
import { meanDivergence } from '../../export/softmax.ts';

/** How far a student says what its teacher says; no label is needed for it, and nothing is said of who is right. */
export interface Agreement {
  /** Share of images for which both hold one class for the most probable, 0..1. */
  readonly agreement: number;
  /** Of `agreement`: 95 %, Wilson. */
  readonly agreementInterval: readonly [low: number, high: number];
  /** Mean of KL(teacher || student) at T = 1, in nats. */
  readonly kl: number;
  readonly compared: number;
}

/**
 * @param teacher logits, `count` rows of M
 * @param student of the same classes
 * @throws RangeError without rows, or for another number of logits
 */
export function agreementOf(teacher: Float32Array, student: Float32Array, count: number): Agreement {
  if (count < 1 || teacher.length !== student.length || teacher.length % count !== 0)
    throw new RangeError(
      `Expected two times as many logits, of at least one image, got ${teacher.length} and ${student.length} of ${count}.`,
    );
  const width = teacher.length / count;
  const classOf = (logits: Float32Array, row: number): number => {
    const values = logits.subarray(row * width, (row + 1) * width);
    return values.indexOf(Math.max(...values));
  };
  let same = 0;
  for (let row = 0; row < count; row++) if (classOf(teacher, row) === classOf(student, row)) same++;
  return {
    agreement: same / count,
    agreementInterval: wilsonInterval(same, count),
    kl: meanDivergence(teacher, student, count),
    compared: count,
  };
}
