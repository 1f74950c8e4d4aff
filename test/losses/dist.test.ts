import { describe, expect, it } from 'vitest';
import { compute, computeOnEngine, graphOf, numbers, rows, type Options } from './distillation-cases.ts';
import { expectClose } from './expect-close.ts';

const P = [
  [0.5, 0.2, 0.2, 0.1],
  [0.1, 0.7, 0.15, 0.05],
  [0.25, 0.15, 0.2, 0.4],
];
const teacher = numbers([3, 4], 3);
const none = { reduction: 'none' } as const;

/** 1e-8 in the divisor takes a share of a correlation that is 1e-8 over the divisor; divisors here are at least 0.01. */
const SHARE = 1e-6;

/** Of a student that says just these probabilities. */
function loss(probabilities: readonly (readonly number[])[], options: Options): number[] {
  const student = rows(probabilities.map((row) => row.map(Math.log)));
  return compute({ loss: 'dist', inputs: { student, teacher }, options: { ...none, ...options } }).loss;
}

describe('dist', () => {
  it('does not see scale and shift of a row between classes', () => {
    const scaled = P.map((row, i) => {
      const scale = [0.5, 0.9, 0.2][i]!;
      return row.map((p) => scale * p + (1 - scale) / 4);
    });
    expectClose(loss(scaled, { gamma: 0 }), loss(P, { gamma: 0 }), SHARE);
  });

  it('does not see scale and shift of a column between samples', () => {
    const shifts = [0.3, 0.05, 0.1, 0.05];
    const scaled = P.map((row) => row.map((p, k) => p / 2 + shifts[k]!));
    expectClose(loss(scaled, { beta: 0 }), loss(P, { beta: 0 }), SHARE);
    // The rows do change.
    expect(Math.abs(loss(scaled, { gamma: 0 })[0]! - loss(P, { gamma: 0 })[0]!)).toBeGreaterThan(0.01);
  });

  it('is 0 where the student agrees and at most 2 a term', () => {
    const logits = rows(P.map((row) => row.map(Math.log)));
    const same = compute({ loss: 'dist', inputs: { student: logits, teacher: logits }, options: none });
    // As above; the third column has a divisor of 0.0017.
    expectClose(same.loss, [0, 0, 0], 1e-5);
    const opposite = {
      student: rows([[0.9, 0.1], [0.2, 0.8]].map((row) => row.map(Math.log))), // prettier-ignore
      teacher: rows([[0.1, 0.9], [0.8, 0.2]].map((row) => row.map(Math.log))), // prettier-ignore
    };
    expectClose(compute({ loss: 'dist', inputs: opposite, options: none }).loss, [4, 4], SHARE);
  });

  it('counts a sample of weight 2 as two, and one of weight 0 as none, in both relations', () => {
    const student = numbers([4, 5], 1);
    const target = numbers([4, 5], 2);
    const weighted = compute({
      loss: 'dist',
      inputs: { student, teacher: target, sampleWeights: { shape: [4], values: [1, 2, 0, 1] } },
      options: {},
    });
    const repeat = ({ values }: { readonly values: readonly number[] }) =>
      rows([0, 1, 1, 3].map((i) => values.slice(5 * i, 5 * i + 5)));
    const repeated = compute({
      loss: 'dist',
      inputs: { student: repeat(student), teacher: repeat(target) },
      options: {},
    });
    expectClose(weighted.loss, repeated.loss, 1e-7);
    const [gradient, ofRepeated] = [weighted.gradients['student']!, repeated.gradients['student']!];
    expectClose(gradient.slice(0, 5), ofRepeated.slice(0, 5), 1e-6);
    expectClose(gradient.slice(5, 10), ofRepeated.slice(5, 10).map((x) => 2 * x), 1e-6); // prettier-ignore
    expectClose(gradient.slice(10, 15), [0, 0, 0, 0, 0], 1e-12);
  });

  it('has a finite gradient where all rows and columns are constant', async () => {
    const zeros = { shape: [3, 4], values: Array<number>(12).fill(0) };
    for (const inputs of [
      { student: zeros, teacher },
      { student: teacher, teacher: zeros },
      { student: zeros, teacher: zeros },
    ]) {
      // prettier-ignore
      const { loss: value, gradients } = await computeOnEngine({ loss: 'dist', inputs, options: none });
      expectClose(value, [2, 2, 2], 1e-6);
      expect(gradients['student']!.every(Number.isFinite)).toBe(true);
    }
  });

  it('refuses what does not fit', () => {
    const build = (n: number, options: Options) =>
      graphOf({ loss: 'dist', inputs: { student: numbers([n, 3], 1), teacher: numbers([n, 3], 2) }, options });
    expect(() => build(1, {})).toThrow('it needs at least 2, got logits [1, 3]');
    expect(() => build(1, { gamma: 0 })).not.toThrow();
    expect(() => build(2, { beta: 0, gamma: 0 })).toThrow('One of beta and gamma must be over 0');
    expect(() => build(2, { gamma: -1 })).toThrow('gamma must be finite and not negative, got -1.');
    expect(() => build(2, { temperature: 0 })).toThrow(RangeError);
  });
});
