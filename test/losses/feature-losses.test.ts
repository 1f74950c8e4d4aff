import { describe, expect, it } from 'vitest';
import { compute, computeOnEngine, graphOf, numbers, type Input, type Subject } from './distillation-cases.ts';
import { expectClose } from './expect-close.ts';

const none = { reduction: 'none' } as const;
const times = (input: Input, factor: number): Input => ({ ...input, values: input.values.map((x) => factor * x) });
const zeros = (input: Input): Input => times(input, 0);
const build = (loss: Subject['loss'], inputs: Subject['inputs']) => graphOf({ loss, inputs, options: {} });

describe('attentionTransfer', () => {
  const [student, teacher] = [numbers([2, 2, 3, 2], 1), numbers([2, 4, 3, 2], 2)];

  it('does not see the scale, the signs and the order of channels', () => {
    const swapped = [0, 12].flatMap((at) => [
      ...student.values.slice(at + 6, at + 12).map((x) => -3 * x),
      ...student.values.slice(at, at + 6).map((x) => 3 * x),
    ]);
    const loss = (values: readonly number[]) =>
      compute({ loss: 'attentionTransfer', inputs: { student: { ...student, values }, teacher }, options: none }).loss;
    expectClose(loss(swapped), loss(student.values), 1e-12);
  });

  it('is the mean of the teacher alone for a student that sees nothing, without a gradient', async () => {
    for (const inputs of [
      { student: zeros(student), teacher },
      { student, teacher: zeros(teacher) },
    ]) {
      const { loss, gradients } = await computeOnEngine({ loss: 'attentionTransfer', inputs, options: none });
      // A vector of length 1, its square averaged over 6 positions.
      expectClose(loss, [1 / 6, 1 / 6], 1e-6);
      expect(gradients['student']!.every(Number.isFinite)).toBe(true);
      if (inputs.teacher === teacher) expectClose(gradients['student']!, zeros(student).values, 1e-30);
    }
  });

  it('refuses what does not fit', () => {
    expect(() => build('attentionTransfer', { student, teacher: numbers([3, 2, 3, 2], 1) })).toThrow(
      'of one N, got float64 [2,2,3,2] and float64 [3,2,3,2]',
    );
    expect(() => build('attentionTransfer', { student: numbers([2, 3], 1), teacher: numbers([2, 3], 1) })).toThrow(
      TypeError,
    );
  });
});

describe('featureDistance', () => {
  const [student, teacher] = [numbers([3, 4], 1), numbers([3, 4], 2)];
  const loss = (inputs: Subject['inputs'], distance: string) =>
    compute({ loss: 'featureDistance', inputs, options: { ...none, distance } }).loss;

  it('is half the squared distance of features of length 1, by cosine', () => {
    const unit = (input: Input): Input => ({
      ...input,
      values: input.values.map((x, i) => {
        const row = input.values.slice(4 * Math.floor(i / 4), 4 * Math.floor(i / 4) + 4);
        return x / Math.hypot(...row);
      }),
    });
    const squared = loss({ student: unit(student), teacher: unit(teacher) }, 'squared');
    // A mean over 4 features.
    expectClose(loss({ student: times(student, 5), teacher }, 'cosine'), squared.map((x) => 2 * x), 1e-12); // prettier-ignore
  });

  it('leaves features as they are by a projection that is the identity', () => {
    const projection = { shape: [4, 4], values: Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)) };
    expectClose(loss({ student, teacher, projection }, 'squared'), loss({ student, teacher }, 'squared'), 1e-12);
  });

  it('is 1, without a gradient, of features that are all 0, by cosine', async () => {
    const options = { ...none, distance: 'cosine' };
    const inputs = { student: zeros(student), teacher };
    const { loss: value, gradients } = await computeOnEngine({ loss: 'featureDistance', inputs, options });
    expectClose(value, [1, 1, 1], 1e-12);
    expectClose(gradients['student']!, zeros(student).values, 1e-30);
  });

  it('refuses what does not fit', () => {
    expect(() => build('featureDistance', { student, teacher: numbers([3, 6], 1) })).toThrow(
      'Features of widths 4 (student) and 6 (teacher) need a projection, got none.',
    );
    const projection = numbers([6, 4], 1);
    expect(() => build('featureDistance', { student, teacher: numbers([3, 6], 1), projection })).toThrow(
      'of width 4 (student) to 6 (teacher) must have shape [4,6], got [6,4]',
    );
    expect(() => build('featureDistance', { student, teacher: numbers([3, 4, 1, 1], 1) })).toThrow(TypeError);
    const maps = { student: numbers([1, 4, 2, 2], 1), teacher: numbers([1, 6, 2, 2], 1) };
    expect(() => build('featureDistance', { ...maps, projection })).toThrow('must have shape [6,4,1,1], got [6,4]');
  });
});
