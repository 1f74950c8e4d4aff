import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { float32, fromNumbers, int64, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { bootstrapping } from '../../src/losses/bootstrapping.ts';
import { crossEntropy } from '../../src/losses/cross-entropy.ts';
import { generalizedCrossEntropy } from '../../src/losses/generalized-cross-entropy.ts';
import type { LabelLossOptions } from '../../src/losses/label-loss.ts';
import { symmetricCrossEntropy } from '../../src/losses/symmetric-cross-entropy.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { run } from '../lowering/engine.ts';
import { evaluate } from '../reference/interpreter.ts';
import { expectClose } from './expect-close.ts';

type Loss = (b: GraphBuilder, logits: string, labels: string, options?: LabelLossOptions) => string;
type Rows = readonly (readonly number[])[];

const LOGITS: Rows = [[2, -1, 0.5, 0], [-3, 4, 1, 0.2], [0.1, 0.2, 0.3, -0.4], [1, 1.5, -2, 3], [60, -60, 0, 5]]; // prettier-ignore
const LABELS = [0, 3, 1, 2, 0];
const SOFT: Rows = [[0.7, 0.1, 0.1, 0.1], [0, 0.5, 0.5, 0], [0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0]]; // prettier-ignore

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const softmax = (z: readonly number[]): number[] => {
  const e = z.map((x) => Math.exp(x - Math.max(...z)));
  return e.map((x) => x / sum(e));
};
const ln = (p: number): number => Math.log(Math.max(p, 1e-300));

/** The papers' formulas of one sample: probabilities p, target t. */
const LOSSES: readonly [string, Loss, (p: readonly number[], t: readonly number[]) => number][] = [
  [
    'symmetric cross-entropy',
    symmetricCrossEntropy,
    (p, t) =>
      -0.1 * sum(t.map((x, k) => x * ln(p[k]!))) -
      sum(p.map((x, k) => x * (t[k]! < 1e-4 ? Math.log(1e-4) : Math.log(t[k]!)))),
  ],
  [
    'generalized cross-entropy',
    generalizedCrossEntropy,
    (p, t) => sum(t.map((x, k) => (x * (1 - p[k]! ** 0.7)) / 0.7)),
  ],
  ['soft bootstrapping', bootstrapping, (p, t) => -sum(p.map((x, k) => (0.95 * t[k]! + 0.05 * x) * ln(x)))],
  [
    'hard bootstrapping',
    (b, z, y, options) => bootstrapping(b, z, y, { ...options, kind: 'hard' }),
    (p, t) => -sum(p.map((x, k) => (0.8 * t[k]! + (x === Math.max(...p) ? 0.2 : 0)) * ln(x))),
  ],
];

describe.each(LOSSES)('%s', (_, loss, formula) => {
  const hard = LABELS.map((label) => [0, 1, 2, 3].map((k) => (k === label ? 1 : 0)));
  const values = (targets: Rows): number[] => LOGITS.map((z, i) => formula(softmax(z), targets[i]!));

  it('is the formula, of class indices and of distributions', async () => {
    expectClose((await compute(loss, LABELS, { reduction: 'none' })).loss, values(hard), 2e-6);
    expectClose((await compute(loss, SOFT, { reduction: 'none' })).loss, values(SOFT), 2e-6);
  });

  it('has the gradient of central differences', () => {
    const b = new GraphBuilder('loss');
    b.input('logits', 'float64', [4, 4]);
    const labels = b.constant(fromNumbers('float64', [4, 4], SOFT.slice(0, 4).flat()));
    b.output(loss(b, 'logits', labels, { reduction: 'none', smoothing: 0.1 }), 'loss');
    const feeds = new Map([['logits', fromNumbers('float64', [4, 4], LOGITS.slice(0, 4).flat())]]);
    expect(checkGradients(b.build(), { evaluate, feeds })).toBeLessThan(1e-8);
  });

  it('smooths targets, and weighs samples and classes in value and divisor', async () => {
    const smooth = hard.map((row) => row.map((t) => 0.8 * t + 0.05));
    expectClose((await compute(loss, LABELS, { reduction: 'none', smoothing: 0.2 })).loss, values(smooth), 2e-6);
    const [weights, classWeights] = [[1, 0, 3, 0.5, 2], [5, 1, 0.2, 3]]; // prettier-ignore
    const counts = LABELS.map((label, i) => weights[i]! * classWeights[label]!);
    const mean = sum(values(hard).map((value, i) => value * counts[i]!)) / sum(counts);
    expectClose((await compute(loss, LABELS, { classWeights }, weights)).loss, [mean], 2e-6);
  });
});

describe('a wrong label that the network is sure of', () => {
  // The fifth image, of class 0 by far, labelled 1.
  const pull = async (loss: Loss): Promise<number> => {
    const labels = LABELS.with(4, 1);
    return Math.max(...(await compute(loss, labels, { reduction: 'sum' })).gradient.slice(16).map(Math.abs));
  };
  it('pulls with all its force by cross-entropy, hardly by the robust losses', async () => {
    expect(await pull(crossEntropy)).toBeCloseTo(1, 5);
    expect(await pull(symmetricCrossEntropy)).toBeLessThan(0.11);
    expect(await pull(generalizedCrossEntropy)).toBeLessThan(1e-5);
  });
});

describe('options out of range are refused', () => {
  const b = new GraphBuilder('loss');
  const logits = b.input('logits', 'float32', [2, 3]);
  const labels = b.input('labels', 'int64', [2]);
  it.each([
    ['q', () => generalizedCrossEntropy(b, logits, labels, { q: 0 }), 'q must be over 0 and at most 1, got 0.'],
    ['beta', () => bootstrapping(b, logits, labels, { beta: 1.1 }), 'beta must be at least 0 and at most 1, got 1.1.'],
    ['ln 0', () => symmetricCrossEntropy(b, logits, labels, { logZero: 0 }), 'finite and below 0, got 0.'],
    ['both 0', () => symmetricCrossEntropy(b, logits, labels, { alpha: 0, beta: 0 }), 'not both 0, got 0 and 0.'],
  ])('%s', (_, build, message) => expect(build).toThrow(message));
});

async function compute(
  loss: Loss,
  labels: readonly number[] | Rows,
  options: LabelLossOptions,
  weights?: readonly number[],
): Promise<{ loss: number[]; gradient: number[] }> {
  const b = new GraphBuilder('loss');
  const soft = typeof labels[0] !== 'number';
  b.input('logits', 'float32', [5, 4]);
  b.input('labels', soft ? 'float32' : 'int64', soft ? [5, 4] : [5]);
  if (weights !== undefined) b.input('weights', 'float32', [5]);
  const sampleWeights = weights === undefined ? {} : { sampleWeights: 'weights' };
  b.output(loss(b, 'logits', 'labels', { ...options, ...sampleWeights }), 'value');
  b.output(b.op('ReduceSum', ['value'], { keepdims: 0 }), 'total');
  const { graph, gradients } = gradient(b.build(), 'total', ['logits']);
  const feeds: Record<string, Tensor> = {
    logits: float32(LOGITS.flat(), [5, 4]),
    labels: soft ? float32((labels as Rows).flat(), [5, 4]) : int64(labels as number[]),
    ...(weights !== undefined && { weights: float32(weights) }),
  };
  const results = await run(graph, feeds);
  return { loss: toNumbers(results['value']!), gradient: toNumbers(results[gradients.get('logits')!]!) };
}
