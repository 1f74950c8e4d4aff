import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { float32, float32Scalar, fromNumbers, int64, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { jensenShannon, type JensenShannonOptions } from '../../src/losses/jensen-shannon.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { addStepLoss, viewsOf, type LossOptions } from '../../src/train/step-loss.ts';
import { run } from '../lowering/engine.ts';
import { evaluate } from '../reference/interpreter.ts';
import { expectClose } from './expect-close.ts';

type Views = readonly (readonly number[])[];

interface Case {
  readonly name: string;
  /** [N, 3, K] */
  readonly logits: Views[];
  readonly labels: number[];
  /** Of each sample. */
  readonly value: number[];
  /** Of their sum. */
  readonly gradient: Views[];
  readonly weight: number;
  readonly step: { readonly value: number; readonly gradient: Views[] };
}

const cases = JSON.parse(readFileSync(new URL('golden/jensen-shannon.json', import.meta.url), 'utf8')) as Case[];
const named = cases.map((c) => [c.name, c] as const);

describe('the consistency of views is that of PyTorch', () => {
  // float32 against float64: two or three roundings of probabilities and logarithms of the size of 1, by 6e-8 each. Of large
  // logits, which float32 has in steps of 2^-11, the same, as the golden values are of the rounded ones.
  it.each(named)('value and gradient: %s', async (_, golden) => {
    const result = await compute(golden.logits);
    expectClose(result.loss, golden.value, 2e-7);
    expectClose(result.gradient, flat(golden.gradient), 2e-7);
  });

  it.each(named)('in the loss of a step, beside cross-entropy of the clean views alone: %s', async (_, golden) => {
    const result = await stepLoss(golden.logits, golden.labels, {
      name: 'cross-entropy',
      consistency: golden.weight,
    });
    // Twelve of what is above.
    expectClose(result.loss, [golden.step.value], 2e-6);
    expectClose(result.gradient, flat(golden.step.gradient), 2e-6);
  });
});

describe('jensenShannon', () => {
  const random = cases[0]!.logits;

  it('has the gradient of central differences, for any number of views', () => {
    for (const views of [2, 3, 5]) {
      const b = new GraphBuilder('views');
      b.input('logits', 'float64', [2, views, 4]);
      b.output(jensenShannon(b, 'logits', { reduction: 'none' }), 'loss');
      const values = Array.from({ length: 8 * views }, (_, i) => Math.sin(7 * i) * 3);
      const feeds = new Map([['logits', fromNumbers('float64', [2, views, 4], values)]]);
      // In float64: what is left is the error of the differences.
      expect(checkGradients(b.build(), { evaluate, feeds })).toBeLessThan(1e-8);
    }
  });

  it('is the formula, where exponentials of the logits overflow and vanish', async () => {
    const extreme: Views[] = [
      [[1e4, -1e4, 0], [-1e4, 1e4, 0], [0, 0, 1e4]], // prettier-ignore
      [[200, 0, -200], [190, 0, -200], [0, 200, -200]], // prettier-ignore
      [[-3e4, -3e4, -3e4], [9, 8, 7], [88, 89, 90]], // prettier-ignore
    ];
    const result = await compute(extreme);
    expectClose(result.loss, extreme.map(formula), 2e-6);
    expect(result.loss[0]).toBeCloseTo(Math.log(3), 6);
    expect(result.gradient.every(Number.isFinite)).toBe(true);
  });

  it('is 0 where all views agree, whatever is added to their logits, and pulls nowhere', async () => {
    const same = random.map(([first]) => [0, 20, -300].map((shift) => first!.map((z) => z + shift)));
    const result = await compute(same);
    // -300 + z is rounded to float32.
    for (const value of [...result.loss, ...result.gradient]) expect(Math.abs(value)).toBeLessThan(1e-5);
  });

  it('counts samples by their weights, and averages them by default', async () => {
    const { value } = cases[0]!;
    const weights = [1, 0, 3, 0.5, 0];
    const sum = value.reduce((total, x, i) => total + x * weights[i]!, 0);
    expectClose((await compute(random, { reduction: 'sum' }, weights)).loss, [sum], 2e-6);
    expectClose((await compute(random, {}, weights)).loss, [sum / 4.5], 2e-6);
    expectClose((await compute(random, {})).loss, [value.reduce((a, b) => a + b) / value.length], 2e-6);
  });

  it('refuses what are no views', () => {
    const b = new GraphBuilder('views');
    expect(() => jensenShannon(b, b.input('flat', 'float32', [6, 4]))).toThrow('V of at least 2, got [6,4]');
    expect(() => jensenShannon(b, b.input('one', 'float32', [6, 1, 4]))).toThrow(TypeError);
  });
});

describe('the loss of a step with consistency', () => {
  const { logits, labels, value } = cases[0]!;
  const clean = logits.map(([first]) => first!);

  it.each([
    ['smoothing', { smoothing: 0.1 }, undefined],
    ['sample weights', {}, [1, 0, 3, 0.5, 0]],
    ['class weights', { classWeights: [5, 1, 0.2, 3] }, undefined],
    ['all of them', { smoothing: 0.1, classWeights: [5, 1, 0.2, 3] }, [1, 0, 3, 0.5, 0]],
  ] as const)('weighs both terms of a sample alike: %s', async (_, options, sampleWeights) => {
    const plain: LossOptions = { name: 'cross-entropy', ...options };
    const without = await stepLoss(clean, labels, plain, sampleWeights);
    const result = await stepLoss(logits, labels, { ...plain, consistency: 2 }, sampleWeights);
    const counts = labels.map(
      (label, i) => (sampleWeights?.[i] ?? 1) * ('classWeights' in options ? options.classWeights[label]! : 1),
    );
    const divergence = value.reduce((sum, x, i) => sum + x * counts[i]!, 0) / labels.length;
    expectClose(result.loss, [without.loss[0]! + 2 * divergence], 1e-5);
  });

  it('takes labels as distributions, with class weights in the cross-entropy alone', async () => {
    const oneHot = labels.map((label) => [0, 1, 2, 3].map((k) => (k === label ? 1 : 0)));
    const plain: LossOptions = { name: 'cross-entropy', classWeights: [5, 1, 0.2, 3] };
    const without = await stepLoss(clean, oneHot, plain);
    const result = await stepLoss(logits, oneHot, { ...plain, consistency: 2 });
    const divergence = value.reduce((a, b) => a + b) / labels.length;
    expectClose(result.loss, [without.loss[0]! + 2 * divergence], 1e-5);
  });

  it('refuses weights that are none, and another loss', async () => {
    for (const consistency of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(stepLoss(logits, labels, { name: 'cross-entropy', consistency })).rejects.toThrow('over 0');
    await expect(stepLoss(logits, labels, { name: 'binary-cross-entropy', consistency: 1 })).rejects.toThrow(
      'goes with the loss "cross-entropy", got "binary-cross-entropy"',
    );
  });
});

/** By probabilities, in float64; 0 ln 0 is 0. */
function formula(views: Views): number {
  const probabilities = views.map((logits) => {
    const most = Math.max(...logits);
    const exponentials = logits.map((z) => Math.exp(z - most));
    const sum = exponentials.reduce((a, b) => a + b);
    return exponentials.map((e) => e / sum);
  });
  const mean = probabilities[0]!.map((_, k) => probabilities.reduce((sum, p) => sum + p[k]!, 0) / views.length);
  const divergences = probabilities.map((p) =>
    p.reduce((sum, x, k) => sum + (x === 0 ? 0 : x * Math.log(x / mean[k]!)), 0),
  );
  return divergences.reduce((a, b) => a + b) / views.length;
}

async function compute(
  logits: readonly Views[],
  options: JensenShannonOptions = { reduction: 'none' },
  weights?: readonly number[],
): Promise<{ loss: number[]; gradient: number[] }> {
  const shape = [logits.length, logits[0]!.length, logits[0]![0]!.length];
  const b = new GraphBuilder('views');
  b.input('logits', 'float32', shape);
  if (weights !== undefined) b.input('weights', 'float32', [weights.length]);
  const value = jensenShannon(b, 'logits', { ...options, ...(weights !== undefined && { sampleWeights: 'weights' }) });
  return differentiated(b, value, {
    logits: float32(flat(logits), shape),
    ...(weights !== undefined && { weights: float32(weights) }),
  });
}

/** Mean over the samples. @param logits [N, K], or of views [N, 3, K] */
async function stepLoss(
  logits: readonly (Views | readonly number[])[],
  labels: readonly number[] | Views,
  options: LossOptions,
  weights?: readonly number[],
): Promise<{ loss: number[]; gradient: number[] }> {
  const n = labels.length;
  const values = (logits as Views[]).flat(2) as number[];
  const rows = n * viewsOf(options);
  const b = new GraphBuilder('step');
  b.input('logits', 'float32', [rows, values.length / rows]);
  const soft = typeof labels[0] !== 'number';
  b.input('labels', soft ? 'float32' : 'int64', soft ? [n, values.length / rows] : [n]);
  if (weights !== undefined) b.input('weights', 'float32', [n]);
  const value = addStepLoss(b, options, {
    logits: 'logits',
    labels: 'labels',
    scale: b.input('scale', 'float32', []),
    ...(weights !== undefined && { sampleWeights: 'weights' }),
  });
  return differentiated(b, value, {
    logits: float32(values, [rows, values.length / rows]),
    labels: soft ? float32((labels as Views).flat(), [n, values.length / rows]) : int64(labels as number[]),
    scale: float32Scalar(1 / n),
    ...(weights !== undefined && { weights: float32(weights) }),
  });
}

async function differentiated(
  b: GraphBuilder,
  value: string,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<{ loss: number[]; gradient: number[] }> {
  b.output(value, 'value');
  b.output(b.op('ReduceSum', [value], { keepdims: 0 }), 'total');
  const { graph, gradients } = gradient(b.build(), 'total', ['logits']);
  const results = await run(graph, feeds);
  return { loss: toNumbers(results['value']!), gradient: toNumbers(results[gradients.get('logits')!]!) };
}

function flat(logits: readonly Views[]): number[] {
  return logits.flat(2);
}
