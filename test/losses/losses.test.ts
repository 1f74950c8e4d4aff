import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { float32, int64, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { binaryCrossEntropy, type BinaryCrossEntropyOptions } from '../../src/losses/binary-cross-entropy.ts';
import { crossEntropy, type CrossEntropyOptions } from '../../src/losses/cross-entropy.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { run } from '../lowering/engine.ts';
import { expectClose } from './expect-close.ts';

interface Case {
  readonly loss: 'crossEntropy' | 'binaryCrossEntropy';
  readonly name: string;
  readonly logits: number[][];
  readonly labels: number[] | number[][];
  readonly options: CrossEntropyOptions & BinaryCrossEntropyOptions;
  readonly value: number[];
  readonly gradient: number[][];
}

const losses = { crossEntropy, binaryCrossEntropy };
const cases = JSON.parse(readFileSync(new URL('golden/losses.json', import.meta.url), 'utf8')) as Case[];

describe('losses and their gradients are those of PyTorch', () => {
  it.each(cases.map((c) => [`${c.loss}: ${c.name}`, c] as const))('%s', async (_, golden) => {
    const result = await compute(golden.loss, golden.logits, golden.labels, golden.options);
    expectClose(result.loss, golden.value, 2e-6);
    expectClose(result.gradient, golden.gradient.flat(), 2e-6);
  });
});

describe('sample weights', () => {
  const logits = cases[0]!.logits;
  const labels = [0, 3, 1, 2, 3];

  it.each(['crossEntropy', 'binaryCrossEntropy'] as const)('of 0 take samples out of the mean of %s', async (loss) => {
    const weighted = await compute(loss, logits, labels, {}, [1, 0, 1, 1, 0]);
    const kept = [0, 2, 3];
    const alone = await compute(
      loss,
      kept.map((i) => logits[i]!),
      kept.map((i) => labels[i]!),
      {},
    );
    expectClose(weighted.loss, alone.loss, 1e-6);
    expectClose(
      kept.flatMap((i) => weighted.gradient.slice(i * 4, i * 4 + 4)),
      alone.gradient,
      1e-6,
    );
  });

  it('join class weights in the divisor, so that equal losses have that loss as their mean', async () => {
    const { loss } = await compute('crossEntropy', [[1, 2], [2, 1]], [0, 1], { classWeights: [3, 5] }, [2, 7]); // prettier-ignore
    expectClose(loss, [Math.log(1 + Math.E)], 1e-6);
  });
});

describe('options out of range are refused', () => {
  it('smoothing', () => {
    expect(() => build({ smoothing: 1 })).toThrow('Label smoothing must be at least 0 and below 1, got 1.');
    expect(() => build({ smoothing: Number.NaN })).toThrow(RangeError);
  });
  it('class weights', () => {
    expect(() => build({ classWeights: [1, 2] })).toThrow('Class weights: expected 3 (one a class), got 2.');
    expect(() => build({ classWeights: [1, 2, -1] })).toThrow(RangeError);
  });
  it('labels of another shape', () => {
    expect(() => build({}, [3])).toThrow('must be int64 [2] or float32 [2, 3], got int64 [3]');
  });
});

function build(options: CrossEntropyOptions, labelShape = [2]): string {
  const b = new GraphBuilder('loss');
  const logits = b.input('logits', 'float32', [2, 3]);
  return crossEntropy(b, logits, b.input('labels', 'int64', labelShape), options);
}

async function compute(
  loss: Case['loss'],
  logits: number[][],
  labels: number[] | number[][],
  options: Case['options'],
  sampleWeights?: number[],
): Promise<{ loss: number[]; gradient: number[] }> {
  const [n, classes] = [logits.length, logits[0]!.length];
  const soft = Array.isArray(labels[0]);
  const b = new GraphBuilder('loss');
  b.input('logits', 'float32', [n, classes]);
  b.input('labels', soft ? 'float32' : 'int64', soft ? [n, classes] : [n]);
  const feeds: Record<string, Tensor> = {
    logits: float32(logits.flat(), [n, classes]),
    labels: soft ? float32((labels as number[][]).flat(), [n, classes]) : int64(labels as number[]),
  };
  if (sampleWeights !== undefined) {
    b.input('weights', 'float32', [n]);
    feeds['weights'] = float32(sampleWeights);
  }
  const value = losses[loss](b, 'logits', 'labels', {
    ...options,
    ...(sampleWeights !== undefined && { sampleWeights: 'weights' }),
  });
  b.output(value, 'loss');
  // `none` has one loss a sample; the golden gradient is that of their sum.
  b.output(b.op('ReduceSum', [value], { keepdims: 0 }), 'total');
  const { graph, gradients } = gradient(b.build(), 'total', ['logits']);
  const results = await run(graph, feeds);
  return { loss: toNumbers(results['loss']!), gradient: toNumbers(results[gradients.get('logits')!]!) };
}
