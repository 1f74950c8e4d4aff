import { describe, expect, it } from 'vitest';
import { compute, computeOnEngine, graphOf, numbers, rows, type Options } from './distillation-cases.ts';
import { expectClose } from './expect-close.ts';

const [student, teacher] = [numbers([3, 5], 1), numbers([3, 5], 2)];
const none = { reduction: 'none' } as const;

describe('distillation', () => {
  it('has a gradient that tends to the difference of logits, less their means, over K as T grows (eq. 4)', () => {
    const { gradients } = compute({
      loss: 'distillation',
      inputs: { student, teacher },
      options: { ...none, temperature: 1e4 },
    });
    const centred = (values: readonly number[]): number[] => {
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      return values.map((x) => x - mean);
    };
    const expected = [0, 5, 10].flatMap((at) => {
      const [s, t] = [student, teacher].map(({ values }) => centred(values.slice(at, at + 5)));
      return s!.map((x, k) => (x - t![k]!) / 5);
    });
    // The next term of the series is smaller by 1 / T.
    expectClose(gradients['student']!, expected, 1e-3);
  });

  it('is 0 and pulls nowhere where the student agrees, whatever is added to its logits', () => {
    const shifted = { ...student, values: student.values.map((x, i) => x + 7 * Math.floor(i / 5)) };
    const result = compute({ loss: 'distillation', inputs: { student: shifted, teacher: student }, options: none });
    expectClose(result.loss, [0, 0, 0], 1e-12);
    expectClose(result.gradients['student']!, Array<number>(15).fill(0), 1e-12);
  });

  it.each([0.5, 1, 4])('takes probabilities for the logits that they are the softmax of, at T %d', (temperature) => {
    const probabilities = [0, 5, 10].flatMap((at) => {
      const exponentials = teacher.values.slice(at, at + 5).map(Math.exp);
      const sum = exponentials.reduce((a, b) => a + b);
      return exponentials.map((e) => e / sum);
    });
    const ofLogits = compute({ loss: 'distillation', inputs: { student, teacher }, options: { ...none, temperature } });
    const ofProbabilities = compute({
      loss: 'distillation',
      inputs: { student, teacher: { ...teacher, values: probabilities } },
      options: { ...none, temperature, form: 'probabilities' },
    });
    expectClose(ofProbabilities.loss, ofLogits.loss, 1e-12);
    expectClose(ofProbabilities.gradients['student']!, ofLogits.gradients['student']!, 1e-12);
  });

  it('is cross-entropy, in float32, where the teacher is sure', async () => {
    const inputs = { student: rows([[1, 2, 0]]), teacher: rows([[0, 1, 0]]) };
    const { loss, gradients } = await computeOnEngine({
      loss: 'distillation',
      inputs,
      options: { form: 'probabilities', temperature: 3 },
    });
    const exponentials = [1, 2, 0].map((z) => Math.exp(z / 3));
    const sum = exponentials.reduce((a, b) => a + b);
    expectClose(loss, [-9 * Math.log(exponentials[1]! / sum)], 1e-6);
    expectClose(gradients['student']!, exponentials.map((e, k) => 3 * (e / sum - (k === 1 ? 1 : 0))), 1e-6); // prettier-ignore
  });

  it('refuses what does not fit', () => {
    const build = (options: Options, inputs = { student, teacher }) =>
      graphOf({ loss: 'distillation', inputs, options });
    for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => build({ temperature })).toThrow(RangeError);
    expect(() => build({ temperature: 0 })).toThrow('The temperature must be finite and over 0, got 0.');
    expect(() => build({ targets: 'hard', temperature: 4 })).toThrow('Hard targets have no temperature, got 4.');
    expect(() => build({}, { student, teacher: numbers([3, 4], 1) })).toThrow(
      'The teacher of logits float64 [3, 5] must be of that type and shape, got float64 [3,4].',
    );
    expect(() => build({}, { student, teacher: { ...teacher, shape: [3, 1, 5] } })).toThrow(TypeError);
    expect(() => build({}, { student: { ...student, shape: [15] }, teacher })).toThrow('must have shape [N, K]');
    const weighted = { student, teacher, sampleWeights: numbers([5], 1) };
    expect(() => build({}, weighted)).toThrow('Sample weights must be one a loss, [3], got [5].');
  });
});
