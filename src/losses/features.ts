import type { GraphBuilder } from '../onnx/builder.ts';

/**
 * Checks that a student's and a teacher's features are of one type, both of one of `ranks` and of the same number of samples.
 * @returns the shapes
 * @throws TypeError naming both
 */
export function featureShapes(
  b: GraphBuilder,
  student: string,
  teacher: string,
  ranks: readonly number[],
): [student: number[], teacher: number[]] {
  const [s, t] = [b.shape(student), b.shape(teacher)];
  const [ofStudent, ofTeacher] = [b.type(student).dtype, b.type(teacher).dtype];
  if (ofStudent !== ofTeacher || s.length !== t.length || !ranks.includes(s.length) || s[0] !== t[0])
    throw new TypeError(
      `Student and teacher must have features of one type, [N, D]${ranks.includes(4) ? ' or [N, C, H, W]' : ''} of one N, ` +
        `got ${ofStudent} [${s}] and ${ofTeacher} [${t}].`,
    );
  return [s, t];
}
