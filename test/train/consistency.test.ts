import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, int64, tensor, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import { findLearningRate } from '../../src/train/lr-finder.ts';
import { planPasses, stepBytes } from '../../src/train/memory-plan.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import { TrainingStep, type StepBatch } from '../../src/train/training-step.ts';
import { CLASSES, SIDE, tinyBatch, tinyModel, tinyStep } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const VIEWS = 3;
const SAMPLES = 8;
const model = tinyModel();
const loss = { name: 'cross-entropy', consistency: 5 } as const;

/** Three views of each sample, one after the other, and the samples' labels. */
function viewBatch(samples: number, ...key: readonly (string | number)[]): StepBatch & { readonly ids: string[] } {
  const { images, labels } = tinyBatch(samples * VIEWS, ...key);
  const own = Array.from({ length: samples }, (_, i) => toNumbers(labels)[i * VIEWS]!);
  return { images, labels: int64(own), ids: own.map((_, i) => `${i}.png`) };
}

describe('a step that compares three views of each sample', () => {
  it('takes the cross-entropy of the first view alone, and what all three disagree by', async () => {
    const options = tinyStep(model, { microBatch: SAMPLES, loss });
    const batch = viewBatch(SAMPLES, 'loss');
    const { losses, logits } = await train(options, [batch]);
    expect(logits).toHaveLength(SAMPLES * VIEWS * CLASSES);
    const probabilities = Array.from({ length: SAMPLES * VIEWS }, (_, row) =>
      softmax(logits.slice(row * CLASSES, (row + 1) * CLASSES)),
    );
    const each = toNumbers(batch.labels).map((label, i) => {
      const views = probabilities.slice(i * VIEWS, (i + 1) * VIEWS);
      const mean = views[0]!.map((_, k) => views.reduce((sum, p) => sum + p[k]!, 0) / VIEWS);
      const divergence = views.flatMap((p) => p.map((x, k) => x * Math.log(x / mean[k]!))).reduce((a, b) => a + b);
      return -Math.log(views[0]![label]!) + (5 * divergence) / VIEWS;
    });
    expect(losses[0]).toBeCloseTo(each.reduce((a, b) => a + b) / SAMPLES, 5);
  });

  it('is the step on first views alone where all views are the same', async () => {
    const alone = tinyBatch(SAMPLES, 'same');
    const copies = Array.from({ length: SAMPLES * VIEWS }, (_, row) => Math.floor(row / VIEWS));
    const same = { ...alone, images: rows(alone.images, copies) };
    const plain = await train(tinyStep(model, { microBatch: SAMPLES }), [alone, alone]);
    const views = await train(tinyStep(model, { microBatch: SAMPLES, loss }), [same, same]);
    expect(views.losses).toEqual(plain.losses.map((value) => expect.closeTo(value, 5)));
    expectClose(views.values, plain.values, 1e-5);
  });

  it('keeps samples whole in passes whose gradients are summed', async () => {
    const batches = [0, 1, 2].map((step) => viewBatch(SAMPLES, step));
    const weighted = { ...loss, smoothing: 0.1, classWeights: [5, 1, 0.2] };
    const one = await train(tinyStep(model, { loss: weighted, microBatch: SAMPLES }), batches);
    for (const microBatch of [1, 2, 4]) {
      const microBatches = SAMPLES / microBatch;
      const several = await train(tinyStep(model, { loss: weighted, microBatch, microBatches }), batches);
      expect(several.losses).toEqual(one.losses.map((value) => expect.closeTo(value, 5)));
      expectClose(several.values, one.values, 1e-5);
    }
  });

  it('counts samples, not views, by their weights, and takes distributions as labels', async () => {
    const batch = viewBatch(SAMPLES, 'weights');
    const labels = float32(
      toNumbers(batch.labels).flatMap((label) => Array.from({ length: CLASSES }, (_, k) => (k === label ? 1 : 0))),
      [SAMPLES, CLASSES],
    );
    const kept = [0, 1, 4, 7];
    const sampleWeights = float32(Array.from({ length: SAMPLES }, (_, i) => (kept.includes(i) ? 1 : 0)));
    const weighted = await train(
      tinyStep(model, { loss, labels: 'distributions', sampleWeights: true, microBatch: 4, microBatches: 2 }),
      [{ images: batch.images, labels, sampleWeights }],
    );
    const alone = await train(tinyStep(model, { loss, microBatch: 4 }), [
      {
        images: rows(
          batch.images,
          kept.flatMap((i) => [0, 1, 2].map((view) => i * VIEWS + view)),
        ),
        labels: int64(kept.map((i) => toNumbers(batch.labels)[i]!)),
      },
    ]);
    expect(weighted.losses[0]).toBeCloseTo(alone.losses[0]!, 5);
    expectClose(weighted.values, alone.values, 1e-5);
  });

  it('has the batch statistics of all views', async () => {
    const batch = viewBatch(4, 'statistics');
    const views = await train(tinyStep(model, { loss, microBatch: 4, batchNorm: 'batch' }), [batch]);
    // The same images, each a sample of its own: statistics do not depend on the loss.
    const all = { images: batch.images, labels: int64(Array.from({ length: 12 }, () => 0)) };
    const plain = await train(tinyStep(model, { microBatch: 12, batchNorm: 'batch' }), [all]);
    const statistics = (values: ReadonlyMap<string, number[]>): Map<string, number[]> =>
      new Map([...values].filter(([name]) => name.includes('running')));
    expect(statistics(views.values).size).toBeGreaterThan(4);
    expectClose(statistics(views.values), statistics(plain.values), 1e-6);
  });

  it('gives the same bytes with recomputation', async () => {
    const batches = [0, 1].map((step) => viewBatch(4, step));
    const kept = await train(tinyStep(model, { loss }), batches);
    const recomputed = await train(tinyStep(model, { loss, recompute: 1 }), batches);
    expect(recomputed).toEqual(kept);
  });

  it('runs all views through what is frozen, from pixels', async () => {
    const preprocessing = parsePreprocessing(
      { inputSize: [SIDE, SIDE], mean: [100, 110, 120], std: [50, 60, 70] },
      'the test',
    );
    const pixels = Uint8Array.from({ length: 4 * VIEWS * SIDE * SIDE * 3 }, (_, i) => (i * 37 + (i >> 5)) % 256);
    const batch = { images: tensor('uint8', [4 * VIEWS, SIDE, SIDE, 3], pixels), labels: int64([0, 1, 2, 0]) };
    const changes = { loss, images: { kind: 'pixels', preprocessing }, microBatch: 2, microBatches: 2 } as const;
    const head = tinyStep(model).parameters.filter(({ name }) => /^(stage3|fc)\./.test(name));
    const split = tinyStep(model, { ...changes, parameters: head });
    expect(compileStep(split).prefix).toBeDefined();
    // Statistics as the graph says, which is what the cut gives up on: nothing is frozen apart.
    const whole = { ...split, batchNorm: 'as-is' } as const;
    expect(compileStep(whole).prefix).toBeUndefined();
    const [a, b] = [await train(split, [batch, batch]), await train(whole, [batch, batch])];
    expect(a.losses).toEqual(b.losses.map((value) => expect.closeTo(value, 5)));
    expectClose(a.values, b.values, 1e-5);
  });

  it('refuses a batch of another number of views', async () => {
    const step = await TrainingStep.open(engine, compileStep(tinyStep(model, { loss })));
    await expect(step.run({ batch: tinyBatch(4, 0), step: 1, rates: { body: 0.1 } })).rejects.toThrow(
      `images of float32 [12,3,${SIDE},${SIDE}], got float32 [4,3,${SIDE},${SIDE}]`,
    );
    await step.release();
  });

  it('is what the search for a learning rate sweeps', async () => {
    const step = await TrainingStep.open(engine, compileStep(tinyStep(model, { loss })));
    const source = {
      stepsPerEpoch: 4,
      async *epoch(epoch: number) {
        for (let i = 0; i < 4; i++) yield viewBatch(4, epoch, i);
      },
    };
    const { curve } = await findLearningRate(step, source, { steps: 5 });
    expect(curve.length).toBeGreaterThan(1);
    await step.release();
  });
});

describe('the memory of a step that compares views', () => {
  it('is that of all their images, and passes are made smaller by whole samples', () => {
    const options = tinyStep(model, { loss, microBatch: 512 });
    const all = stepBytes(compileStep(options));
    const base = stepBytes(compileStep(tinyStep(model, { loss, microBatch: 1 })));
    const single = stepBytes(compileStep(tinyStep(model, { microBatch: 512 })));
    expect((all - base) / (single - base)).toBeCloseTo(VIEWS, 0);
    const half = stepBytes(compileStep({ ...options, microBatch: 256, microBatches: 2 }));
    const tight = planPasses(options, { availableBytes: (all + half) / 2 / 0.8 });
    expect(tight).toMatchObject({ microBatch: 256, microBatches: 2 });
    expect(tight.note).toContain('A pass of 512 images in 3 views each needs');
  });
});

interface Trained {
  readonly losses: number[];
  /** Of the last step. */
  readonly logits: number[];
  /** Parameters and running statistics. */
  readonly values: Map<string, number[]>;
}

async function train(options: StepOptions, batches: readonly StepBatch[]): Promise<Trained> {
  const step = await TrainingStep.open(engine, compileStep(options));
  try {
    const losses: number[] = [];
    let logits = new Float32Array();
    for (const [i, batch] of batches.entries()) {
      const result = await step.run({ batch, step: i + 1, rates: { body: 0.05 } });
      losses.push(result.loss);
      logits = Float32Array.from(result.logits);
    }
    const { parameters, buffers } = await step.state();
    const values = new Map([...parameters, ...buffers].map(([name, value]) => [name, toNumbers(value)]));
    return { losses, logits: [...logits], values };
  } finally {
    await step.release();
  }
}

function rows(images: Tensor, chosen: readonly number[]): Tensor {
  const [, ...shape] = images.shape;
  const size = 3 * SIDE * SIDE;
  const data = new Float32Array(chosen.length * size);
  for (const [i, row] of chosen.entries())
    data.set((images.data as Float32Array).subarray(row * size, (row + 1) * size), i * size);
  return tensor('float32', [chosen.length, ...shape], data);
}

function softmax(logits: readonly number[]): number[] {
  const exponentials = logits.map((z) => Math.exp(z));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((e) => e / sum);
}

/** Every number within `tolerance` of the larger of 1 and the expected one. */
function expectClose(
  actual: ReadonlyMap<string, number[]>,
  expected: ReadonlyMap<string, number[]>,
  tolerance: number,
): void {
  expect([...actual.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  for (const [name, values] of actual)
    for (const [i, value] of values.entries())
      expect(Math.abs(value - expected.get(name)![i]!) / Math.max(1, Math.abs(value)), name).toBeLessThan(tolerance);
}
