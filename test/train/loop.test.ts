import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AbortedError, RunError } from '../../src/core/errors.ts';
import { Track } from '../../src/core/profile.ts';
import type { Progress } from '../../src/core/progress.ts';
import { float32, toNumbers } from '../../src/core/tensor.ts';
import { schedule } from '../../src/optim/schedules.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { readCheckpoint } from '../../src/train/checkpoint.ts';
import type { NewEvent } from '../../src/train/events.ts';
import { trainLoop, type LoopOptions, type Validation } from '../../src/train/loop.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import { dropoutMask } from '../../src/train/dropout-mask.ts';
import { NotFiniteError, TrainingStep } from '../../src/train/training-step.ts';
import type { Weights } from '../../src/train/weights.ts';
import { tinyModel, tinySource, tinyStep } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-loop-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const model = tinyModel(0.2);
const STEPS = 3;
const bias = (weights: Weights): number => (weights.get('fc.bias')!.data as Float32Array)[0]!;

function options(changes: Partial<LoopOptions> = {}): LoopOptions & { events: NewEvent[]; progress: Progress[] } {
  const events: NewEvent[] = [];
  const progress: Progress[] = [];
  return {
    engine,
    phases: [{ fromEpoch: 1, step: tinyStep(model, { batchNorm: 'batch', averageDecay: 0.9 }) }],
    source: tinySource(4, STEPS),
    epochs: 3,
    schedule: schedule({ name: 'cosine', totalSteps: 3 * STEPS }),
    rates: { body: 0.1 },
    seed: 1,
    stage: 'finetune',
    checkpoints: folder,
    record: (event) => events.push(event),
    onProgress: (event) => progress.push(event),
    events,
    progress,
    ...changes,
  };
}

const bytes = (file: string, where = folder): Buffer => readFileSync(join(where, file));

it('takes up a phase that was opened before, as if it had opened it itself, and closes it', async () => {
  const { weights } = await trainLoop(options());
  rmSync(join(folder, 'last.safetensors'));
  const o = options();
  const step = await TrainingStep.open(engine, compileStep(o.phases[0]!.step));
  const source = tinySource(4, STEPS);
  // As for measuring: statistics and averages move, though no weight does.
  for await (const batch of source.epoch(1, 0)) {
    const drawMask = (mask: Parameters<typeof dropoutMask>[0]) => dropoutMask(mask, ['time']);
    await step.run({ batch, step: 1, rates: { body: 0 }, drawMask });
  }
  await step.setState();
  const again = await trainLoop({ ...o, opened: { step, source } });
  for (const [name, value] of weights) expect(toNumbers(again.weights.get(name)!), name).toEqual(toNumbers(value));
  await expect(step.state()).rejects.toThrow();
});

it('trains, tells what it does, and leaves its last checkpoint', async () => {
  const o = options();
  const result = await trainLoop(o);
  expect(result).toMatchObject({ epochs: 3, steps: 9, stoppedEarly: false, best: undefined });
  const { state, counters } = await readCheckpoint(join(folder, 'last.safetensors'));
  expect(counters).toEqual({ epoch: 3, stepInEpoch: 0, step: 9, lossSum: 0 });
  // The averaged weights are the result.
  expect(result.weights.get('fc.weight')).toEqual(state.optimizer.get('average/fc.weight'));
  expect(toNumbers(result.weights.get('fc.weight')!)).not.toEqual(toNumbers(state.parameters.get('fc.weight')!));

  expect(o.events.map((event) => event.type)).toEqual(['epoch', 'epoch', 'epoch']);
  expect(o.events[2]).toMatchObject({ stage: 'finetune', epoch: 3, epochs: 3 });
  const epochs = o.progress.filter((event) => event.type === 'epoch');
  expect(epochs.map((event) => event.epoch)).toEqual([1, 2, 3]);
  expect(epochs[2]!.loss).toBeLessThan(epochs[0]!.loss);
  expect(epochs.map((event) => event.secondsLeft > 0)).toEqual([true, true, false]);
  expect(epochs[0]!.learningRate).toBeCloseTo((0.1 * (1 + Math.cos((Math.PI * 2) / 9))) / 2, 6);
  const steps = o.progress.filter((event) => event.type === 'step');
  expect(steps.map((event) => event.done)).toEqual([4, 8, 12, 4, 8, 12, 4, 8, 12]);
  expect(steps.every((event) => event.total === 12 && event.unit === 'images' && event.rate! > 0)).toBe(true);
});

describe('stopped by the signal', () => {
  it.each([1, 3, 4])('after %i steps, it saves, and goes on to the same bytes', async (stopAfter) => {
    const straight = mkdtempSync(join(tmpdir(), 'gleaner-loop-'));
    await trainLoop(options({ checkpoints: straight }));

    const controller = new AbortController();
    let taken = 0;
    const stopped = options({
      signal: controller.signal,
      onProgress: (event) => event.type === 'step' && ++taken === stopAfter && controller.abort(),
    });
    await expect(trainLoop(stopped)).rejects.toThrow(AbortedError);
    expect((await readCheckpoint(join(folder, 'last.safetensors'))).counters.step).toBe(stopAfter);

    const resumed = options();
    await trainLoop(resumed);
    expect(resumed.events[0]).toMatchObject({ type: 'resume', step: stopAfter });
    expect(bytes('last.safetensors').equals(bytes('last.safetensors', straight))).toBe(true);
    rmSync(straight, { recursive: true });
  });

  it('inside validation, it validates that epoch when it goes on', async () => {
    const controller = new AbortController();
    const validate = async (weights: Weights, signal?: AbortSignal): Promise<Validation> => {
      if (signal === controller.signal) {
        controller.abort();
        throw new AbortedError('stopped');
      }
      return { score: bias(weights), accuracy: 0.5 };
    };
    await expect(trainLoop(options({ validate, signal: controller.signal }))).rejects.toThrow(AbortedError);
    const { counters } = await readCheckpoint(join(folder, 'last.safetensors'));
    expect(counters).toMatchObject({ epoch: 0, stepInEpoch: STEPS, step: STEPS });
    const resumed = options({ validate });
    await trainLoop(resumed);
    expect(resumed.events.map((event) => event['epoch'])).toEqual([0, 1, 2, 3]);
  });
});

const noScore = async (): Promise<Validation> => ({ score: Number.NaN, accuracy: 0 });

describe('with validation', () => {
  it('the best epoch is the result, and ends training after patience', async () => {
    const scores = [0.2, 0.8, 0.8, 0.7, 0.9];
    const seen: number[] = [];
    const validate = async (weights: Weights): Promise<Validation> => {
      seen.push(bias(weights));
      return { score: scores[seen.length - 1]!, accuracy: scores[seen.length - 1]!, loss: 1 };
    };
    const o = options({ validate, patience: 2, epochs: 5 });
    const result = await trainLoop(o);
    expect(result).toMatchObject({ epochs: 4, stoppedEarly: true, best: { score: 0.8, epoch: 2 } });
    expect(bias(result.weights)).toBe(seen[1]);
    expect(o.events.map((event) => event['accuracy'])).toEqual([0.2, 0.8, 0.8, 0.7]);
    expect(o.events[0]).toMatchObject({ score: 0.2, validationLoss: 1 });

    // Taken up again, it knows that it was done.
    const again = await trainLoop(options({ validate, patience: 2, epochs: 5 }));
    expect(seen).toHaveLength(4);
    expect(bias(again.weights)).toBe(seen[1]);
  });

  it('a score that is no number is an error', async () => {
    await expect(trainLoop(options({ validate: noScore }))).rejects.toThrow('gave a score of NaN in epoch 1');
  });

  it('patience alone is refused', async () => {
    await expect(trainLoop(options({ patience: 1 }))).rejects.toThrow('Patience needs a validation');
  });
});

it('a loss that is not finite stops the run, names step and batch and keeps the last good state', async () => {
  const source = tinySource(4, STEPS, (batch, epoch, step) => {
    if (epoch === 2 && step === 1) (batch.images.data as Float32Array)[0] = Number.NaN;
    return batch;
  });
  const o = options({ source });
  const error = await trainLoop(o).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(NotFiniteError);
  expect(error).toBeInstanceOf(RunError);
  expect((error as Error).message).toMatch(
    /Stage finetune stopped at step 5 \(epoch 2, batch 2 of it: 2-1-0\.png, .*\)\. The loss is NaN\. The state from before it is saved\./,
  );
  expect(o.events.at(-1)).toMatchObject({ type: 'not-finite', step: 5, epoch: 2, batch: 2 });
  const { state, counters } = await readCheckpoint(join(folder, 'last.safetensors'));
  expect(counters).toMatchObject({ epoch: 1, stepInEpoch: 1, step: 4 });
  expect([...state.parameters.values()].every((value) => toNumbers(value).every(Number.isFinite))).toBe(true);
});

it('weights that went bad are never saved over good ones', async () => {
  // The first step throws the weights away; the second shows it.
  const bad = { rates: { body: 1e38 } };
  await expect(trainLoop(options(bad))).rejects.toThrow(/stopped at step 2 .* There is no good state to keep yet/);
  expect(existsSync(join(folder, 'last.safetensors'))).toBe(false);

  await trainLoop(options({ epochs: 1 }));
  const good = bytes('last.safetensors');
  await expect(trainLoop(options(bad))).rejects.toThrow(
    /stopped at step 5 .* the last checkpoint is the last good state/,
  );
  expect(bytes('last.safetensors').equals(good)).toBe(true);
});

it('phases unfreeze more and more; the optimizer goes on for what trained before', async () => {
  const all = tinyStep(model, { batchNorm: 'batch' });
  const phase = (fromEpoch: number, pattern: RegExp) => ({
    fromEpoch,
    step: { ...all, parameters: all.parameters.filter(({ name }) => pattern.test(name)) },
  });
  const phases = [phase(1, /^fc\./), phase(2, /^(stage3|fc)\./), phase(3, /./)];
  const start = model.graph.initializers;
  await trainLoop(options({ phases, epochs: 2 }));
  const { state: second } = await readCheckpoint(join(folder, 'last.safetensors'));
  expect([...second.parameters.keys()].some((name) => name.startsWith('stage1'))).toBe(false);
  expect(second.buffers.size).toBe(4);
  const o = options({ phases });
  await trainLoop(o);
  const { state } = await readCheckpoint(join(folder, 'last.safetensors'));
  expect(state.parameters.size).toBe(model.parameters.length);
  expect(toNumbers(state.parameters.get('stage1.conv1.weight')!)).not.toEqual(
    toNumbers(start.get('stage1.conv1.weight')!),
  );

  const straight = mkdtempSync(join(tmpdir(), 'gleaner-loop-'));
  await trainLoop(options({ phases, checkpoints: straight }));
  expect(bytes('last.safetensors').equals(bytes('last.safetensors', straight))).toBe(true);
  rmSync(straight, { recursive: true });
});

it('has the next epoch prepared before this one ends, where it comes from the same source, and no other', async () => {
  const asked: string[] = [];
  const source = {
    ...tinySource(4, STEPS, (batch, epoch, step) => {
      asked.push(`${epoch}/${step}`);
      return batch;
    }),
    prepare: (epoch: number, from: number) => asked.push(`prepare ${epoch}/${from}`),
  };
  await trainLoop(options({ source }));
  expect([...new Set(asked)]).toEqual([
    'prepare 1/0',
    '1/0',
    '1/1',
    'prepare 2/0',
    '1/2',
    '2/0',
    '2/1',
    'prepare 3/0',
    '2/2',
    '3/0',
    '3/1',
    '3/2',
  ]);
});

it('a checkpoint that can not be written ends training with the reason', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await expect(trainLoop(options({ checkpoints: join(file, 'checkpoints') }))).rejects.toThrow(/Can't save/);
});

it('measures epochs, steps and what is written meanwhile, where asked to', async () => {
  const [track, writing] = [new Track('job'), new Track('writing')];
  await trainLoop(options({ track, writing }));
  const { totals, trainingTotals, spans } = track.record();
  expect(totals.get('epoch')).toMatchObject({ calls: 3 });
  expect(totals.get('first step')).toMatchObject({ calls: 1, images: 4 });
  expect(totals.get('step')).toMatchObject({ calls: 8, images: 32 });
  expect(totals.get('wait for a batch')!.calls).toBe(12);
  expect(trainingTotals.has('load the step')).toBe(false);
  const inside = [...trainingTotals].reduce((sum, [, { own }]) => sum + own, 0);
  expect(inside).toBeCloseTo(trainingTotals.get('epoch')!.whole, 3);
  expect(spans.filter(({ name }) => name === 'epoch').map(({ detail }) => detail)).toEqual(
    [1, 2, 3].map((epoch) => `finetune ${epoch}`),
  );
  expect(writing.record().totals.get('write a checkpoint')!.calls).toBeGreaterThan(0);
});

it('a stage that was done is not done again', async () => {
  const first = await trainLoop(options());
  const phases = [
    { fromEpoch: 1, step: tinyStep(model, { parameters: [{ name: 'none', group: 'body', decay: true }] }) },
  ];
  // A step of these could not even be built.
  const again = await trainLoop(options({ phases }));
  expect(again).toEqual(first);
});

it('needs an epoch to train and a phase to start with', async () => {
  await expect(trainLoop(options({ epochs: 0 }))).rejects.toThrow('one epoch or more, got 0');
  await expect(trainLoop(options({ phases: [] }))).rejects.toThrow('The first phase must start at epoch 1.');
});

it('a source that gives fewer batches than it promised is an error', async () => {
  const source = { ...tinySource(4, 2), stepsPerEpoch: 3 };
  await expect(trainLoop(options({ source }))).rejects.toThrow('ended after 2 steps; its source promised 3');
});

it('a checkpoint of another network is refused', async () => {
  await trainLoop(options({ epochs: 1 }));
  const initializers = new Map([...model.graph.initializers, ['fc.bias', float32([0, 0, 0, 0])]]);
  initializers.set(
    'fc.weight',
    float32(
      Array.from({ length: 4 * 16 }, () => 0),
      [4, 16],
    ),
  );
  const graph = { ...model.graph, initializers };
  await expect(trainLoop(options({ phases: [{ fromEpoch: 1, step: tinyStep(model, { graph }) }] }))).rejects.toThrow(
    /in the state, the network has float32/,
  );
});

describe('a training whose length changes on its way', () => {
  const shortened = (): ReturnType<typeof options> =>
    options({
      epochs: 6,
      schedule: schedule({ name: 'linear', totalSteps: 6 * STEPS }),
      pace: async ({ epoch, epochs }) => (epoch >= 2 ? Math.min(epochs, 4) : epochs),
    });

  it('ends earlier, with its rate at the end of the schedule', async () => {
    const o = shortened();
    expect(await trainLoop(o)).toMatchObject({ epochs: 4, steps: 4 * STEPS, stoppedEarly: false });
    const epochs = o.events.filter(({ type }) => type === 'epoch');
    expect(epochs.map((event) => event['epochs'])).toEqual([6, 4, 4, 4]);
    // At the last step of each epoch: a sixth of the way an epoch, then twice as fast.
    const rates = [2, 5, 10, 16].map((step) => 0.1 * (1 - step / 18));
    for (const [i, event] of epochs.entries()) expect(event['learningRate']).toBeCloseTo(rates[i]!, 6);
  });

  it('ends later, with its rate at the end of the schedule', async () => {
    const o = { ...shortened(), pace: async ({ epoch }: { epoch: number }) => [3, 5, 8, 8, 8, 8, 8][epoch - 1]! };
    expect(await trainLoop(o)).toMatchObject({ epochs: 8, steps: 8 * STEPS, stoppedEarly: false });
    const rates = o.events.filter(({ type }) => type === 'epoch').map((event) => Number(event['learningRate']));
    // After the first of 6 epochs, 5/6 in 2 (one of which is taken), 5/12 in 3 (one), and 5/18 in 5.
    const at = (position: number): number => 0.1 * (1 - position / 18);
    const [second, third] = [3 + 7.5 - 7.5 / 3, 3 + 7.5 + 2.5 - 2.5 / 3];
    for (const [i, rate] of [at(2), at(second), at(third)].entries()) expect(rates[i]).toBeCloseTo(rate, 6);
    expect(rates.at(-1)).toBeCloseTo(at(18 - 5 / 15), 6);
  });

  it('ends with the same bytes where it was taken up again', async () => {
    await trainLoop(shortened());
    const whole = bytes('last.safetensors');
    rmSync(join(folder, 'last.safetensors'));
    for (const until of [STEPS * 2 + 1, STEPS * 3 + 2]) {
      const stop = new AbortController();
      const o = { ...shortened(), signal: stop.signal, onStep: (step: number) => step === until && stop.abort() };
      await expect(trainLoop(o)).rejects.toThrow(AbortedError);
    }
    await trainLoop(shortened());
    expect(bytes('last.safetensors').equals(whole)).toBe(true);
  });

  it('is none where phases begin at fixed epochs, and not shorter than what is done', async () => {
    const [phase] = shortened().phases;
    const phases = [phase!, { ...phase!, fromEpoch: 3 }];
    await expect(trainLoop({ ...shortened(), phases })).rejects.toThrow(/Phases begin at epochs that are fixed/);
    await expect(trainLoop({ ...shortened(), pace: async () => 1 })).rejects.toThrow(
      /After 1 of 6 epochs, training can't be of 1/,
    );
  });
});
