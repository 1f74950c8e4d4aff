import { describe, expect, it } from 'vitest';
import { compute, computeOnEngine, graphOf, numbers, rows, type Input, type Options } from './distillation-cases.ts';
import { expectClose } from './expect-close.ts';

const [student, teacher] = [numbers([3, 5], 1), numbers([3, 5], 2)];
const labels: Input = { shape: [3], values: [4, 0, 2] };
const none = { reduction: 'none', temperature: 2 } as const;

function softmax(logits: readonly number[]): number[] {
  const exponentials = logits.map(Math.exp);
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((e) => e / sum);
}

describe('decoupledDistillation', () => {
  it('adds up to plain distillation, the others counting for 1 less the probability of the target (eq. 6)', () => {
    const inputs = { student, teacher, labels };
    const term = (alpha: number, beta: number) =>
      compute({ loss: 'decoupledDistillation', inputs, options: { ...none, alpha, beta } }).loss;
    const [target, others] = [term(1, 0), term(0, 1)];
    const plain = compute({ loss: 'distillation', inputs: { student, teacher }, options: none }).loss;
    const sum = labels.values.map((label, i) => {
      const probabilities = softmax(teacher.values.slice(5 * i, 5 * i + 5).map((z) => z / 2));
      return target[i]! + (1 - probabilities[label]!) * others[i]!;
    });
    expectClose(sum, plain, 1e-12);
  });

  it('takes the target out however large its logit is', async () => {
    const inputs = { student: rows([[5e3, 1, 0, -1]]), teacher: rows([[5e3, 0, 2, 0]]) };
    const options = { form: 'logits', alpha: 0, beta: 1, temperature: 1 } as const;
    const [p, q] = [softmax([0, 2, 0]), softmax([1, 0, -1])];
    const expected = p.reduce((sum, x, k) => sum + x * Math.log(x / q[k]!), 0);
    const { loss, gradients } = await computeOnEngine({ loss: 'decoupledDistillation', inputs, options });
    expectClose(loss, [expected], 1e-6);
    expectClose(gradients['student']!, [0, ...q.map((x, k) => x - p[k]!)], 1e-6);
  });

  it('holds the others for equally probable where the teacher is sure of the target', async () => {
    const inputs = { student: rows([[1, 2, 0, 0.5]]), teacher: rows([[0, 1, 0, 0]]) };
    for (const temperature of [1, 4]) {
      const options = { form: 'probabilities', alpha: 1, beta: 3, temperature } as const;
      const z = [1, 2, 0, 0.5].map((x) => x / temperature);
      const others = softmax([z[0]!, z[2]!, z[3]!]);
      const uniform = others.reduce((sum, q) => sum + Math.log(1 / 3 / q) / 3, 0);
      const { loss, gradients } = await computeOnEngine({ loss: 'decoupledDistillation', inputs, options });
      expectClose(loss, [temperature ** 2 * (-Math.log(softmax(z)[1]!) + 3 * uniform)], 1e-5);
      expect(gradients['student']!.every((x) => Math.abs(x) < 10)).toBe(true);
    }
  });

  it('refuses what does not fit', () => {
    const build = (options: Options, inputs: Record<string, Input> = { student, teacher }) =>
      graphOf({ loss: 'decoupledDistillation', inputs, options });
    expect(() => build({ alpha: -1 })).toThrow('alpha must be finite and not negative, got -1.');
    expect(() => build({ beta: Number.NaN })).toThrow(RangeError);
    expect(() => build({ alpha: 0, beta: 0 })).toThrow('One of alpha and beta must be over 0');
    expect(() => build({}, { student: numbers([3, 1], 1), teacher: numbers([3, 1], 2) })).toThrow(
      'needs at least 2 classes, got logits [3, 1]',
    );
    expect(() => build({}, { student, teacher, labels: { shape: [2], values: [0, 1] } })).toThrow(
      'must be int64 [3] or float64 [3, 5], got int64 [2]',
    );
    const soft = { student, teacher, projection: teacher };
    expect(() => build({ labels: 'projection' }, soft)).toThrow('one true class a sample, int64 [3]');
  });
});
