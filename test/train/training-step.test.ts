import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, FormatError } from '../../src/core/errors.ts';
import { float32, int64, tensor, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import type { Preprocessing } from '../../src/models/preprocessing.ts';
import { blockSize } from '../../src/runtime/block-size.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import type { TrainingState } from '../../src/train/checkpoint.ts';
import { NotFiniteError, TrainingStep, type StepBatch } from '../../src/train/training-step.ts';
import { weightsOf } from '../../src/train/weights.ts';
import { CLASSES, SIDE, tinyBatch, tinyModel, tinyStep } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const model = tinyModel();

describe('passes whose gradients are summed', () => {
  it.each([
    ['plain means', {}],
    ['class weights that differ between passes', { loss: { name: 'cross-entropy', classWeights: [5, 1, 0.2] } }],
    ['binary cross-entropy, averaged weights', { loss: { name: 'binary-cross-entropy' }, averageDecay: 0.9 }],
  ] as [string, Partial<StepOptions>][])('take the step of one pass: %s', async (_, changes) => {
    const one = await train(tinyStep(model, { ...changes, microBatch: 8 }), 3);
    const four = await train(tinyStep(model, { ...changes, microBatch: 2, microBatches: 4 }), 3);
    expect(four.losses).toEqual(one.losses.map((loss) => expect.closeTo(loss, 5)));
    expectSame(four.state, one.state, 1e-5);
  });

  it('count samples by their weights', async () => {
    const options = tinyStep(model, { sampleWeights: true, microBatch: 2, microBatches: 4 });
    const batch = tinyBatch(8, 'w');
    const weighted = await train(options, 1, () => ({ ...batch, sampleWeights: float32([1, 1, 0, 0, 1, 0, 0, 1]) }));
    const kept = [0, 1, 4, 7];
    const alone = await train(tinyStep(model, { microBatch: 4 }), 1, () => ({
      images: rows(batch.images, kept),
      labels: int64(kept.map((i) => toNumbers(batch.labels)[i]!)),
    }));
    expect(weighted.losses[0]).toBeCloseTo(alone.losses[0]!, 5);
    expectSame(weighted.state, alone.state, 1e-5);
  });

  it('move running statistics one pass after the other', async () => {
    const twice = await train(tinyStep(model, { batchNorm: 'batch', microBatch: 4, microBatches: 2 }), 1);
    // The same as two steps of one pass at a rate of 0.
    const batch = tinyBatch(8, 0);
    const half = (pass: number): StepBatch => {
      const chosen = [0, 1, 2, 3].map((i) => pass * 4 + i);
      return { images: rows(batch.images, chosen), labels: int64(chosen.map((i) => toNumbers(batch.labels)[i]!)) };
    };
    const still = await train(tinyStep(model, { batchNorm: 'batch', microBatch: 4 }), 2, half, { body: 0 });
    expectSame(twice.state.buffers, still.state.buffers, 1e-5);
    expect(toNumbers(twice.state.buffers.get('stage1.bn1.running_mean')!)).not.toEqual([0, 0, 0, 0]);
  });
});

it('labels as distributions do what indices do', async () => {
  const indices = await train(tinyStep(model), 2);
  const soft = await train(tinyStep(model, { labels: 'distributions' }), 2, (step) => {
    const { images, labels } = tinyBatch(4, step);
    const rowsOf = toNumbers(labels).flatMap((label) =>
      Array.from({ length: CLASSES }, (_, k) => (k === label ? 1 : 0)),
    );
    return { images, labels: float32(rowsOf, [4, CLASSES]) };
  });
  expectSame(soft.state, indices.state, 1e-6);
});

it('pixels are normalised inside the step', async () => {
  const preprocessing = {
    inputSize: [SIDE, SIDE],
    resize: 'stretch',
    cropFraction: 1,
    interpolation: 'bilinear',
    mean: [100, 110, 120],
    std: [50, 60, 70],
    channels: 'rgb',
    layout: 'nchw',
  } satisfies Preprocessing;
  const pixels = Uint8Array.from({ length: 4 * SIDE * SIDE * 3 }, (_, i) => (i * 37) % 256);
  const values = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    const [n, pixel, c] = [Math.floor(i / (SIDE * SIDE * 3)), Math.floor(i / 3) % (SIDE * SIDE), i % 3];
    values[(n * 3 + c) * SIDE * SIDE + pixel] = (pixels[i]! - preprocessing.mean[c]!) / preprocessing.std[c]!;
  }
  const labels = int64([0, 1, 2, 0]);
  const fromValues = await train(tinyStep(model), 1, () => ({
    images: tensor('float32', [4, 3, SIDE, SIDE], values),
    labels,
  }));
  const fromPixels = await train(tinyStep(model, { images: { kind: 'pixels', preprocessing } }), 1, () => ({
    images: tensor('uint8', [4, SIDE, SIDE, 3], pixels),
    labels,
  }));
  expect(fromPixels.losses[0]).toBeCloseTo(fromValues.losses[0]!, 5);
  expectSame(fromPixels.state, fromValues.state, 1e-5);
});

describe('blocked', () => {
  it.each(['frozen', 'batch'] as const)(
    'equals plain, %s statistics, and hands out parameters in their own shapes',
    async (batchNorm) => {
      const block = await blockSize(engine);
      if (block === 1) return;
      const options = tinyStep(model, {
        batchNorm,
        averageDecay: 0.9,
        optimizer: { name: 'adamw', weightDecay: 0.1, epsilon: 1e-3 },
      });
      const plain = await train(options, 3);
      const blocked = await train({ ...options, target: { kind: 'blocked', block } }, 3);
      expectSame(blocked.state, plain.state, 1e-4);
    },
  );
});

describe('what is frozen', () => {
  it('does not move, nor do its statistics', async () => {
    const parameters = tinyStep(model).parameters.filter(
      ({ name }) => name.startsWith('stage3.') || name.startsWith('fc.'),
    );
    const { state } = await train(tinyStep(model, { parameters, batchNorm: 'batch' }), 2);
    expect([...state.parameters.keys()].every((name) => /^(stage3|fc)\./.test(name))).toBe(true);
    const buffers = [...state.buffers.keys()].toSorted();
    expect(buffers).toEqual(
      ['bn1.running_mean', 'bn1.running_var', 'bn2.running_mean', 'bn2.running_var'].map((name) => `stage3.${name}`),
    );
  });

  it('has no statistics of the batch at all where they are frozen', async () => {
    expect(compileStep(tinyStep(model)).statistics).toEqual([]);
  });
});

describe('averaged weights', () => {
  it('follow the weights and statistics, and are what counts', async () => {
    const options = tinyStep(model, { averageDecay: 0.5, batchNorm: 'batch' });
    const step = await TrainingStep.open(engine, compileStep(options));
    let expected = (await step.state()).parameters.get('fc.weight')!.data as Float32Array;
    for (let i = 1; i <= 3; i++) {
      await step.run({ batch: tinyBatch(4, i), step: i, rates: { body: 0.1 } });
      const decay = Math.min(0.5, (1 + i) / (10 + i));
      const now = (await step.state()).parameters.get('fc.weight')!.data as Float32Array;
      expected = expected.map((old, j) => decay * old + (1 - decay) * now[j]!);
    }
    const state = await step.state();
    await step.release();
    const weights = weightsOf(state);
    expect(toNumbers(weights.get('fc.weight')!)).toEqual([...expected].map((x) => expect.closeTo(x, 5)));
    expect(weights.get('stage1.bn1.running_mean')).toBe(state.optimizer.get('average/stage1.bn1.running_mean'));
  });
});

describe('a value that is not finite', () => {
  it('stops the step, and the state is that from before it', async () => {
    const options = tinyStep(model, { averageDecay: 0.9, batchNorm: 'batch' });
    const step = await TrainingStep.open(engine, compileStep(options));
    await step.run({ batch: tinyBatch(4, 0), step: 1, rates: { body: 0.1 } });
    const before = await step.state();
    const bad = tinyBatch(4, 1);
    (bad.images.data as Float32Array)[5] = Number.NaN;
    await expect(step.run({ batch: bad, step: 2, rates: { body: 0.1 } })).rejects.toBeInstanceOf(NotFiniteError);
    expectSame(await step.state(), before, 0);
    // It goes on as if nothing had been.
    await step.run({ batch: tinyBatch(4, 2), step: 2, rates: { body: 0.1 } });
    const after = await step.state();
    await step.release();
    const straight = await train(options, 2, (i) => tinyBatch(4, i === 0 ? 0 : 2));
    expectSame(after, straight.state, 0);
  });
});

describe('the state', () => {
  it('goes out and in again without a change, also into another lowering', async () => {
    const block = await blockSize(engine);
    const options = tinyStep(model, { averageDecay: 0.9, batchNorm: 'batch' });
    const { state } = await train(options, 2);
    const target = block > 1 ? ({ kind: 'blocked', block } as const) : ({ kind: 'plain' } as const);
    const step = await TrainingStep.open(engine, compileStep({ ...options, target }), state);
    expectSame(await step.state(), state, 0);
    await step.release();
  });

  it('of another network is refused', async () => {
    const { state } = await train(tinyStep(model), 1);
    const parameters = new Map([...state.parameters, ['fc.bias', float32([1, 2])]]);
    await expect(TrainingStep.open(engine, compileStep(tinyStep(model)), { ...state, parameters })).rejects.toThrow(
      FormatError,
    );
  });
});

describe('dropout', () => {
  const dropping = tinyModel(0.5);

  it('multiplies by masks that are drawn outside, before the head', async () => {
    const options = tinyStep(dropping);
    const all = await train(options, 1, undefined, undefined, (size) => new Float32Array(size).fill(1));
    const without = await train(tinyStep(dropping, { dropout: 'remove' }), 1);
    expectSame(all.state, without.state, 0);
    const none = await train(options, 1, undefined, undefined, (size) => new Float32Array(size));
    expect(none.losses[0]).toBeCloseTo(Math.log(CLASSES), 5);
  });

  it('needs them', async () => {
    await expect(train(tinyStep(dropping), 1)).rejects.toThrow('has dropout; its mask');
  });
});

describe('refuses', () => {
  it('batches and labels that do not fit', async () => {
    const step = await TrainingStep.open(engine, compileStep(tinyStep(model)));
    const run = (batch: StepBatch, rates: Record<string, number> = { body: 0.1 }) =>
      step.run({ batch, step: 1, rates });
    const good = tinyBatch(4, 0);
    await expect(run(tinyBatch(3, 0))).rejects.toThrow(
      `images of float32 [4,3,${SIDE},${SIDE}], got float32 [3,3,${SIDE},${SIDE}]`,
    );
    await expect(run({ ...good, labels: int64([0, 1, 2, 3]) })).rejects.toThrow(
      'Label 3 of sample 3 is not one of 3 classes (0 to 2).',
    );
    await expect(run({ ...good, labels: float32([0, 1, 2, 3]) })).rejects.toThrow(
      'labels of int64 [4], got float32 [4]',
    );
    await expect(run(good, {})).rejects.toThrow('There is no learning rate for the group "body".');
    await expect(step.run({ batch: good, step: 1, rates: { body: 1 } }, AbortSignal.abort())).rejects.toThrow(
      AbortedError,
    );
    await step.release();
  });

  it('parameters that are none', () => {
    const parameters = [{ name: 'fc.wieght', group: 'body', decay: true }];
    expect(() => compileStep(tinyStep(model, { parameters }))).toThrow(
      '"fc.wieght" is to be trained, but it is no initializer',
    );
    expect(() => compileStep(tinyStep(model, { microBatches: 0 }))).toThrow(
      'microBatches must be a positive integer, got 0.',
    );
    expect(() => compileStep(tinyStep(model, { microBatch: 1.5 }))).toThrow(RangeError);
  });
});

async function train(
  options: StepOptions,
  steps: number,
  batchOf: (step: number) => StepBatch = (step) => tinyBatch(options.microBatch * (options.microBatches ?? 1), step),
  rates: Record<string, number> = { body: 0.1 },
  mask?: (size: number) => Float32Array,
): Promise<{ losses: number[]; state: TrainingState }> {
  const step = await TrainingStep.open(engine, compileStep(options));
  try {
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) {
      const drawMask =
        mask && ((dropout: { shape: readonly number[] }) => mask(dropout.shape.reduce((a, b) => a * b, 1)));
      losses.push((await step.run({ batch: batchOf(i), step: i + 1, rates, ...(drawMask && { drawMask }) })).loss);
    }
    return { losses, state: await step.state() };
  } finally {
    await step.release();
  }
}

function rows(images: Tensor, chosen: readonly number[]): Tensor {
  const size = 3 * SIDE * SIDE;
  const data = new Float32Array(chosen.length * size);
  for (const [i, row] of chosen.entries())
    data.set((images.data as Float32Array).subarray(row * size, (row + 1) * size), i * size);
  return tensor('float32', [chosen.length, 3, SIDE, SIDE], data);
}

/** Every tensor within `tolerance` of the larger of 1 and the expected value; 0: the same bits. */
function expectSame(
  actual: TrainingState | ReadonlyMap<string, Tensor>,
  expected: TrainingState | ReadonlyMap<string, Tensor>,
  tolerance: number,
): void {
  const [a, b] = [tensors(actual), tensors(expected)];
  expect([...a.keys()].toSorted()).toEqual([...b.keys()].toSorted());
  expect(a.size).toBeGreaterThan(0);
  for (const [name, value] of a) {
    const wanted = toNumbers(b.get(name)!);
    const worst = Math.max(
      ...toNumbers(value).map((x, i) => Math.abs(x - wanted[i]!) / Math.max(1, Math.abs(wanted[i]!))),
    );
    expect(worst, name).toBeLessThanOrEqual(tolerance);
  }
}

function tensors(from: TrainingState | ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return 'parameters' in from
    ? new Map([from.parameters, from.buffers, from.optimizer].flatMap((part) => [...part]))
    : new Map(from);
}
