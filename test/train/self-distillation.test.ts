import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, toNumbers } from '../../src/core/tensor.ts';
import { Engine } from '../../src/runtime/engine.ts';
import type { TrainingState } from '../../src/train/checkpoint.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import type { DistillationLoss } from '../../src/train/distillation-objective.ts';
import { stateName } from '../../src/train/objective.ts';
import { TrainingStep } from '../../src/train/training-step.ts';
import type { StepOptions } from '../../src/train/step-options.ts';
import { CLASSES, tinyBatch, tinyModel, tinyStep } from './tiny.ts';

const [SAMPLES, STEPS, HALF_LIFE] = [6, 4, 9];
const [ALPHA, TEMPERATURE] = [0.6, 3];
const model = tinyModel();
const loss: DistillationLoss = {
  name: 'distillation',
  answers: 'kd',
  temperature: TEMPERATURE,
  alpha: ALPHA,
  hard: false,
  taught: { width: CLASSES, average: true },
  halfLife: HALF_LIFE,
};
const options = (changes: Partial<StepOptions> = {}): StepOptions =>
  tinyStep(model, { loss, labels: 'distributions', microBatch: SAMPLES, batchNorm: 'batch', ...changes });

const PLAIN_SGD = { name: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const imagesOf = (t: number) => tinyBatch(SAMPLES, 'own average', t).images;
const labelOf = (i: number, t: number): number => (i + t) % CLASSES;
const labelsOf = (t: number) => {
  const rows = Array.from({ length: SAMPLES }, (_, i) =>
    Array.from({ length: CLASSES }, (_k, k) => (k === labelOf(i, t) ? 1 : 0)),
  );
  return float32(rows.flat(), [SAMPLES, CLASSES]);
};

/** Logits of parameters on the images of a step, by a step of cross-entropy that changes nothing. */
async function logitsOf(parameters: TrainingState['parameters'], t: number): Promise<number[][]> {
  const plain = tinyStep(model, { labels: 'distributions', microBatch: SAMPLES, batchNorm: 'batch' });
  const state = { parameters, buffers: new Map(), optimizer: new Map() };
  const step = await TrainingStep.open(engine, compileStep(plain), state);
  const { logits } = await step.run({
    batch: { images: imagesOf(t), labels: labelsOf(t) },
    step: 1,
    rates: { body: 0 },
  });
  await step.release();
  return Array.from({ length: SAMPLES }, (_, i) => Array.from(logits.slice(i * CLASSES, (i + 1) * CLASSES)));
}

const softmax = (z: readonly number[], temperature = 1): number[] => {
  const e = z.map((x) => Math.exp(x / temperature));
  return e.map((x) => x / e.reduce((a, b) => a + b));
};

describe('a student taught by the average of its own weights', () => {
  it('has the loss of the formula, and an average that only the weights move', async () => {
    const step = await TrainingStep.open(engine, compileStep(options()));
    const averageOf = ({ buffers }: TrainingState): TrainingState['parameters'] =>
      new Map(model.parameters.map((name) => [name, buffers.get(stateName(`average/${name}`))!]));
    const states = [await step.state()];
    for (let t = 0; t < STEPS; t++) {
      const result = await step.run({
        batch: { images: imagesOf(t), labels: labelsOf(t) },
        step: t + 1,
        rates: { body: 0.3 },
      });
      const before = states.at(-1)!;
      const [own, taught] = [await logitsOf(before.parameters, t), await logitsOf(averageOf(before), t)];
      const terms = own.map((z, i) => {
        const [p, q] = [softmax(taught[i]!, TEMPERATURE), softmax(z, TEMPERATURE)];
        const divergence = TEMPERATURE ** 2 * p.reduce((sum, x, k) => sum + x * Math.log(x / q[k]!), 0);
        if (t === 0) expect(divergence).toBeCloseTo(0, 6);
        return ALPHA * divergence - (1 - ALPHA) * Math.log(softmax(z)[labelOf(i, t)]!);
      });
      expect(result.loss).toBeCloseTo(terms.reduce((a, b) => a + b) / SAMPLES, 4);
      states.push(await step.state());
    }
    await step.release();
    const decay = 2 ** (-SAMPLES / HALF_LIFE);
    for (const name of model.parameters) {
      const found = toNumbers(averageOf(states.at(-1)!).get(name)!);
      const values = states.slice(0, STEPS).map(({ parameters }) => toNumbers(parameters.get(name)!));
      const weights = values.map((_, s) => ((1 - decay) * decay ** (STEPS - 1 - s)) / (1 - decay ** STEPS));
      for (const [i, value] of found.entries())
        expect(value).toBeCloseTo(
          values.reduce((sum, own, s) => sum + weights[s]! * own[i]!, 0),
          5,
        );
    }
  });

  it('moves as cross-entropy alone moves it in the first step, when both are one network', async () => {
    const after = async (changes: Partial<DistillationLoss>): Promise<number[]> => {
      const step = await TrainingStep.open(
        engine,
        compileStep(options({ loss: { ...loss, ...changes }, optimizer: PLAIN_SGD })),
      );
      await step.run({ batch: { images: imagesOf(0), labels: labelsOf(0) }, step: 1, rates: { body: 0.3 } });
      const { parameters } = await step.state();
      await step.release();
      return model.parameters.flatMap((name) => toNumbers(parameters.get(name)!));
    };
    const start = model.parameters.flatMap((name) => toNumbers(model.graph.initializers.get(name)!));
    const moves = (values: readonly number[]): number[] => values.map((x, i) => x - start[i]!);
    const [taught, alone] = [moves(await after({})), moves(await after({ alpha: 0, taught: { width: CLASSES } }))];
    for (const [i, move] of taught.entries()) expect(move).toBeCloseTo((1 - ALPHA) * alone[i]!, 4);
    expect(Math.max(...alone.map(Math.abs))).toBeGreaterThan(0.01);
  });
});
