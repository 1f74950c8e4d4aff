import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { int64, tensor, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { blockSize } from '../../src/runtime/block-size.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import { CONSISTENCY_METHODS } from '../../src/train/consistency/methods.ts';
import { rowsOf, type ConsistencyOptions } from '../../src/train/consistency/options.ts';
import { stateName } from '../../src/train/objective.ts';
import { TrainingStep, type StepBatch } from '../../src/train/training-step.ts';
import { weightsOf } from '../../src/train/weights.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import type { TrainingState } from '../../src/train/checkpoint.ts';
import { CLASSES, SIDE, tinyBatch, tinyModel, tinyStep } from './tiny.ts';

const SAMPLES = 4;
const RATIO = 2;
const STEPS = 4;
const loss: ConsistencyOptions = {
  name: 'consistency',
  ...CONSISTENCY_METHODS.meanteacher,
  classes: CLASSES,
  ratio: RATIO,
  strongViews: 1,
  images: 8,
  samples: STEPS * SAMPLES,
  halfLife: 6,
  smoothing: 0,
};

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const batches = Array.from({ length: STEPS }, (_, t): StepBatch => {
  const { images } = tinyBatch(SAMPLES * rowsOf(loss), 'averaged', t);
  return { images, labels: int64(Array.from({ length: SAMPLES }, (_unused, i) => (i + t) % CLASSES)) };
});

const modelWithDropout = tinyModel(0.5);
const options = (changes: Partial<StepOptions> = {}): StepOptions =>
  tinyStep(modelWithDropout, { loss, microBatch: SAMPLES, batchNorm: 'batch', ...changes });

/** States before each step and after the last, and what each step told. */
async function trained(
  step: StepOptions,
): Promise<{ states: TrainingState[]; metrics: Readonly<Record<string, number>>[] }> {
  const opened = await TrainingStep.open(engine, compileStep(step));
  try {
    const states = [await opened.state()];
    const metrics = [];
    for (const [t, batch] of batches.entries()) {
      const drawMask = ({ shape }: { readonly shape: readonly number[] }): Float32Array =>
        new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => (i % 2 === 0 ? 2 : 0));
      const result = await opened.run({ batch, step: t + 1, rates: { body: 0.2 }, drawMask });
      metrics.push(result.metrics);
      states.push(await opened.state());
    }
    return { states, metrics };
  } finally {
    await opened.release();
  }
}

const nameOf = (parameter: string): string => stateName(`average/${parameter}`);

describe('the average of the weights that labels', () => {
  it('is that of the weights before each step, its weights summing to 1 from the first on', async () => {
    const { states } = await trained(options());
    const decay = 2 ** (-SAMPLES / loss.halfLife);
    for (const parameter of modelWithDropout.parameters) {
      expect(toNumbers(states[0]!.buffers.get(nameOf(parameter))!)).toEqual(
        toNumbers(states[0]!.parameters.get(parameter)!),
      );
      for (let t = 1; t <= STEPS; t++) {
        const weights = Array.from({ length: t }, (_, s) => ((1 - decay) * decay ** (t - 1 - s)) / (1 - decay ** t));
        const values = states.slice(0, t).map(({ parameters }) => toNumbers(parameters.get(parameter)!));
        const expected = values[0]!.map((_, i) => weights.reduce((sum, w, s) => sum + w * values[s]![i]!, 0));
        const found = toNumbers(states[t]!.buffers.get(nameOf(parameter))!);
        for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
      }
    }
  });

  it('labels by the statistics of the weak views, without dropout, and moves no running statistics', async () => {
    const { states, metrics } = await trained(options());
    // The weak views alone through the network without dropout, with what the average held: nothing but a batch.
    for (const t of [0, 2]) {
      const average = (name: string): Tensor => states[t]!.buffers.get(nameOf(name))!;
      const plain = tinyModel();
      const step = await TrainingStep.open(
        engine,
        compileStep(tinyStep(plain, { microBatch: SAMPLES * RATIO, batchNorm: 'batch' })),
        {
          parameters: new Map(plain.parameters.map((name) => [name, average(name)])),
          buffers: new Map(),
          optimizer: new Map(),
        },
      );
      const weak = rows(
        batches[t]!.images,
        Array.from({ length: SAMPLES }, (_, i) => [1, 2].map((row) => i * rowsOf(loss) + row)).flat(),
      );
      const { logits } = await step.run({
        batch: { images: weak, labels: int64(Array.from({ length: SAMPLES * RATIO }, () => 0)) },
        step: 1,
        rates: { body: 0 },
      });
      await step.release();
      const confidence = Array.from({ length: SAMPLES * RATIO }, (_, row) => {
        const own = Array.from(logits.slice(row * CLASSES, (row + 1) * CLASSES), (z) => Math.exp(z));
        return Math.max(...own) / own.reduce((a, b) => a + b);
      });
      expect(metrics[t]!['confidence']).toBeCloseTo(confidence.reduce((a, b) => a + b) / confidence.length, 5);
    }
    const running = [...states[0]!.buffers.keys()].filter((name) => name.includes('running'));
    expect(running.toSorted()).toEqual(
      Object.keys(Object.fromEntries(modelWithDropout.graph.initializers))
        .filter((name) => name.includes('running'))
        .toSorted(),
    );
    expect([...weightsOf(states.at(-1)!).keys()].some((name) => name.startsWith(stateName('')))).toBe(false);
  });

  it('is the same in the blocked layout', async () => {
    const plain = await trained(options());
    const blocked = await trained(options({ target: { kind: 'blocked', block: await blockSize(engine) } }));
    for (const [t, metrics] of plain.metrics.entries())
      for (const [name, value] of Object.entries(metrics)) expect(blocked.metrics[t]![name]).toBeCloseTo(value, 4);
  });
});

function rows(images: Tensor, chosen: readonly number[]): Tensor {
  const size = 3 * SIDE * SIDE;
  const data = new Float32Array(chosen.length * size);
  for (const [i, row] of chosen.entries())
    data.set((images.data as Float32Array).subarray(row * size, (row + 1) * size), i * size);
  return tensor('float32', [chosen.length, 3, SIDE, SIDE], data);
}
