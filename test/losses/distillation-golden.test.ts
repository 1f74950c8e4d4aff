import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import {
  compute,
  computeOnEngine,
  feedsOf,
  graphOf,
  LOSSES,
  numbers,
  trained,
  type Result,
  type Subject,
} from './distillation-cases.ts';
import { evaluate } from '../reference/interpreter.ts';
import { expectClose } from './expect-close.ts';

interface Case extends Subject {
  readonly name: string;
  readonly kink: boolean;
  /** Of each sample. */
  readonly value: number[];
  /** Of their sum. */
  readonly gradients: Readonly<Record<string, number[]>>;
}

const cases = JSON.parse(readFileSync(new URL('golden/distillation.json', import.meta.url), 'utf8')) as Case[];
const named = cases.map((golden) => [`${golden.loss}: ${golden.name}`, golden] as const);

function expectResult(result: Result, golden: Case, tolerance: number): void {
  expectClose(result.loss, golden.value, tolerance);
  expect(Object.keys(result.gradients).toSorted()).toEqual(Object.keys(golden.gradients).toSorted());
  for (const [name, expected] of Object.entries(golden.gradients))
    expectClose(result.gradients[name]!, expected, tolerance);
}

describe('losses of distillation are the formulas of their papers', () => {
  it('has cases of each', () => {
    expect(new Set(cases.map(({ loss }) => loss))).toEqual(new Set(Object.keys(LOSSES)));
  });

  it.each(named)('in float64: %s', (_, golden) => {
    const none = { ...golden, options: { ...golden.options, reduction: 'none' } } as const;
    expectResult(compute(none), golden, 1e-10);
  });

  it.each(named)('on the engine: %s', async (_, golden) => {
    const none = { ...golden, options: { ...golden.options, reduction: 'none' } } as const;
    // Up to eight roundings by 1.2e-7 of logarithms and cosines, which are then multiplied by T² or divided by T.
    const { temperature: T = 1 } = golden.options;
    expectResult(await computeOnEngine(none), golden, 1e-6 * Math.max(T ** 2, 1 / T));
  });

  it.each(named.filter(([, { kink }]) => !kink))('have the gradient of central differences: %s', (_, golden) => {
    expect(checkGradients(graphOf(golden), { evaluate, feeds: feedsOf(golden), wrt: trained(golden) })).toBeLessThan(
      1e-6,
    );
  });
});

describe('reductions', () => {
  it.each(named)('%s', (_, golden) => {
    const n = golden.value.length;
    const weights = Array.from({ length: n }, (__, i) => [2, 0, 0.5, 1, 3][i]!);
    const reduced = (reduction: 'none' | 'sum' | 'mean', weighted: boolean): number[] =>
      compute({
        ...golden,
        inputs: { ...golden.inputs, ...(weighted && { sampleWeights: { shape: [n], values: weights } }) },
        options: { ...golden.options, reduction },
      }).loss;
    const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);
    expectClose(reduced('sum', false), [sum(golden.value)], 1e-10);
    expectClose(reduced('mean', false), [sum(golden.value) / n], 1e-10);
    const each = reduced('none', true);
    // The loss of DIST between samples depends on their weights itself (dist.test.ts).
    if (golden.loss !== 'dist') expectClose(each, golden.value.map((x, i) => x * weights[i]!), 1e-10); // prettier-ignore
    expectClose(reduced('sum', true), [sum(each)], 1e-10);
    expectClose(reduced('mean', true), [sum(each) / sum(weights)], 1e-10);
  });
});

describe('defaults', () => {
  it.each([
    ['distillation', { temperature: 4, targets: 'soft' }],
    ['decoupledDistillation', { alpha: 1, beta: 8, temperature: 4 }],
    ['dist', { beta: 1, gamma: 1, temperature: 1 }],
    ['featureDistance', { distance: 'squared' }],
    ['relationalDistillation', { distance: 25, angle: 50 }],
    ['contrastiveDistillation', { temperature: 0.07 }],
  ] as const)('%s %o', (loss, defaults) => {
    const inputs = { student: numbers([4, 3], 1), teacher: numbers([4, 3], 2) };
    const result = compute({ loss, inputs, options: {} });
    expect(result).toEqual(compute({ loss, inputs, options: { ...defaults, reduction: 'mean' } }));
  });
});
