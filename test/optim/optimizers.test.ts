import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { optimizer, type OptimizerName, type OptimizerOptions } from '../../src/optim/optimizer.ts';
import { trajectory } from './trajectory.ts';

interface Golden {
  readonly weight: number[];
  readonly bias: number[];
  readonly gradients: { readonly weight: number[]; readonly bias: number[] }[];
  readonly rates: number[];
  readonly biasFactor: number;
  readonly cases: {
    readonly name: string;
    readonly options: OptimizerOptions;
    readonly rateFactor: number;
    readonly weights: number[][];
    readonly biases: number[][];
  }[];
}

const golden = JSON.parse(readFileSync(new URL('golden/trajectories.json', import.meta.url), 'utf8')) as Golden;
const weight = { name: 'weight', shape: [3, 4], group: 'body', decay: true, start: golden.weight };
const bias = { name: 'bias', shape: [4], group: 'head', decay: false, start: golden.bias };

describe('optimizers take the steps of PyTorch and timm', () => {
  it.each(golden.cases.map((c) => [c.name, c] as const))('%s', async (_, expected) => {
    const rates = golden.rates.map((rate) => ({
      body: rate * expected.rateFactor,
      head: rate * expected.rateFactor * golden.biasFactor,
    }));
    const { values } = await trajectory(expected.options, [weight, bias], golden.gradients, rates);
    expectClose(values.get('weight')!.flat(), expected.weights.flat(), 1e-5);
    expectClose(values.get('bias')!.flat(), expected.biases.flat(), 1e-5);
  });
});

const names: readonly OptimizerName[] = ['sgd', 'adam', 'adamw', 'lion', 'lamb'];

it.each(names)('%s keeps padding of zeros at zero', async (name) => {
  const padded = { name: 'weight', shape: [2, 4], group: 'body', decay: true, start: [1, 2, 0, 0, 3, 4, 0, 0] };
  const gradients = Array.from({ length: 3 }, (_, i) => ({ weight: [i, 1, 0, 0, -1, 2, 0, 0] }));
  const options = { name, weightDecay: 0.1, clipNorm: 1, ...(name === 'sgd' && { momentum: 0.9, nesterov: true }) };
  const rates = gradients.map(() => ({ body: 0.1 }));
  const { values, averages } = await trajectory(options, [padded], gradients, rates, 0.9);
  for (const step of [...values.get('weight')!, ...averages.get('weight')!])
    expect([2, 3, 6, 7].map((i) => step[i])).toEqual([0, 0, 0, 0]);
});

it('LAMB takes the plain step where a parameter is zero', async () => {
  const start = { name: 'weight', shape: [2], group: 'body', decay: true, start: [0, 0] };
  const { values } = await trajectory({ name: 'lamb' }, [start], [{ weight: [1, -2] }], [{ body: 0.1 }]);
  expectClose(values.get('weight')![0]!, [-0.1, 0.1], 1e-4);
});

describe('averaged weights', () => {
  it('start at the weights and warm up', async () => {
    const start = { name: 'weight', shape: [1], group: 'body', decay: true, start: [4] };
    const gradients = [1, 1, 1].map((g) => ({ weight: [g] }));
    const rates = gradients.map(() => ({ body: 1 }));
    const { values, averages } = await trajectory({ name: 'sgd' }, [start], gradients, rates, 0.2);
    expect(values.get('weight')!.flat()).toEqual([3, 2, 1]);
    // min(0.2, 2/11), min(0.2, 3/12), min(0.2, 4/13)
    const expected = [2 / 11, 0.2, 0.2].reduce<number[]>((list, decay, i) => {
      const old = list.at(-1) ?? 4;
      return [...list, decay * old + (1 - decay) * (3 - i)];
    }, []);
    expectClose(averages.get('weight')!.flat(), expected, 1e-6);
  });
});

const zeroPair = (name: string) => ({ name, shape: [2], group: 'body', decay: true, start: [0, 0] });

it('tells the norm of all gradients together, before clipping', async () => {
  const gradients = [
    { a: [1, 2], b: [3, 4] },
    { a: [Number.NaN, 0], b: [0, 0] },
    { a: [Number.POSITIVE_INFINITY, 0], b: [0, 0] },
  ];
  const rates = gradients.map(() => ({ body: 0.1 }));
  const { norms } = await trajectory({ name: 'sgd', clipNorm: 0.5 }, [zeroPair('a'), zeroPair('b')], gradients, rates);
  expect(norms[0]).toBeCloseTo(Math.sqrt(30), 5);
  expect(norms.slice(1).map((norm) => Number.isFinite(norm))).toEqual([false, false]);
});

it('refuses unknown names, options an optimizer does not have and values out of range', () => {
  expect(() => optimizer({ name: 'adamv' as OptimizerName })).toThrow('got "adamv" (did you mean "adam');
  expect(() => optimizer({ name: 'adamw', momentum: 0.9 })).toThrow('The optimizer "adamw" has no option "momentum".');
  expect(() => optimizer({ name: 'sgd', betas: [0.9, 0.99] })).toThrow(RangeError);
  expect(() => optimizer({ name: 'sgd', momentum: 1 })).toThrow('Momentum must be');
  expect(() => optimizer({ name: 'sgd', weightDecay: -1 })).toThrow('Weight decay must be');
  expect(() => optimizer({ name: 'adam', betas: [0.9, 1] })).toThrow('Betas must be');
  expect(() => optimizer({ name: 'sgd', clipNorm: 0 })).toThrow(
    "The bound on the gradient's norm must be positive, got 0.",
  );
});

/** Within `tolerance` of the larger of 1 and the expected value. */
function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries())
    expect(Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!))).toBeLessThan(tolerance);
}
