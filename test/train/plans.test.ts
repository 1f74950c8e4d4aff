import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, InputError } from '../../src/core/errors.ts';
import { parameterGroups, type ParameterGroup } from '../../src/models/parameter-groups.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { Tuning } from '../../src/runtime/tuning.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import { EngineChoices } from '../../src/train/engine-choices.ts';
import { readEngineRecord, writeEngineRecord } from '../../src/train/engine-record.ts';
import { findLearningRate } from '../../src/train/lr-finder.ts';
import { peakBytes, planPasses, stepBytes } from '../../src/train/memory-plan.ts';
import { planParameters, unfreezePhases } from '../../src/train/parameter-plan.ts';
import { TrainingStep } from '../../src/train/training-step.ts';
import { tinyModel, tinySource, tinyStep } from './tiny.ts';

const model = tinyModel();
let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-plans-'));
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const group = (name: string, stage: number, kind: ParameterGroup['kind'] = 'weight'): ParameterGroup => ({
  name,
  kind,
  stage,
  depth: stage / 3,
});
const groups = [
  group('a', 0),
  group('a.bias', 0, 'bias'),
  group('b', 1),
  group('bn', 1, 'norm'),
  group('c', 2),
  group('fc', 3),
];

describe('parameters are planned', () => {
  it('with a rate for the body and one for the head, and decay for weights alone', () => {
    const { parameters, rates } = planParameters(groups, { rate: 0.01, headRate: 0.1, head: ['fc'] });
    expect(rates).toEqual({ body: 0.01, head: 0.1 });
    expect(parameters.map((p) => `${p.name} ${p.group} ${p.decay}`)).toEqual([
      'a body true',
      'a.bias body false',
      'b body true',
      'bn body false',
      'c body true',
      'fc head true',
    ]);
  });

  it('with rates that fall away from the head', () => {
    const { rates } = planParameters(groups, { rate: 0.8, headRate: 2, head: ['fc'], layerDecay: 0.5 });
    expect(rates).toEqual({ stage0: 0.1, stage1: 0.2, stage2: 0.4, head: 2 });
  });

  it('only with rates that are rates', () => {
    expect(() => planParameters(groups, { rate: 0 })).toThrow('A learning rate must be positive, got 0.');
    expect(() => planParameters(groups, { rate: 1, layerDecay: 1.5 })).toThrow('at most 1, got 1.5');
  });

  it('for a real network, the head last', () => {
    const real = parameterGroups(model.graph, model.parameters);
    const { parameters, rates } = planParameters(real, { rate: 1, head: ['fc.weight', 'fc.bias'], layerDecay: 0.5 });
    expect(rates['head']).toBe(1);
    expect(Math.min(...Object.values(rates))).toBe(0.5 ** 6);
    expect(parameters.filter(({ decay }) => decay).map(({ name }) => name)).toEqual(
      model.parameters.filter((name) => /(conv\d|fc)\.weight$/.test(name)),
    );
  });
});

describe('gradual unfreezing', () => {
  it('starts with the head and ends with everything', () => {
    expect(unfreezePhases(groups, 3)).toEqual([
      { fromEpoch: 1, names: ['fc'] },
      { fromEpoch: 2, names: ['c', 'fc'] },
      { fromEpoch: 3, names: ['b', 'bn', 'c', 'fc'] },
      { fromEpoch: 4, names: groups.map(({ name }) => name) },
    ]);
  });
  it('of no epochs is none, of many has no phases without a change', () => {
    expect(unfreezePhases(groups, 0)).toEqual([{ fromEpoch: 1, names: groups.map(({ name }) => name) }]);
    expect(unfreezePhases(groups, 9).map(({ fromEpoch }) => fromEpoch)).toEqual([1, 4, 7, 10]);
    expect(() => unfreezePhases(groups, -1)).toThrow(RangeError);
  });
});

describe('memory', () => {
  it('of a graph is that of what lives at once', () => {
    const b = new GraphBuilder('chain');
    const x = b.input('x', 'float32', [100]);
    const y = b.op('Relu', [x]);
    const z = b.op('Add', [y, x]);
    // y dies with z; the last two live together.
    b.output(b.op('Exp', [z]), 'e');
    expect(peakBytes(b.build())).toBe(800);
  });

  it('decides how many images go through at once', () => {
    const options = tinyStep(model, { microBatch: 256 });
    const bytesOf = (microBatch: number): number =>
      stepBytes(compileStep({ ...options, microBatch, microBatches: 256 / microBatch }));
    const [all, half] = [bytesOf(256), bytesOf(128)];
    expect(half).toBeLessThan(all);
    expect(planPasses(options, { availableBytes: all * 2 })).toEqual({ microBatch: 256, microBatches: 1, bytes: all });
    const tight = planPasses(options, { availableBytes: (all + half) / 2 / 0.8 });
    expect(tight).toMatchObject({ microBatch: 128, microBatches: 2, bytes: half });
    expect(tight.note).toMatch(/^A pass of 256 images needs about \d+ MB, \d+ MB are free: 2 passes of 128 a step/);
    expect(() => planPasses(options, { availableBytes: 1e6 })).toThrow(/even with one image a pass/);
  });

  it('does not change batch statistics unless that is asked for', () => {
    const options = tinyStep(model, { microBatch: 256, batchNorm: 'batch' });
    const availableBytes = (stepBytes(compileStep(options)) - 1) / 0.8;
    expect(() => planPasses(options, { availableBytes })).toThrow(InputError);
    expect(() => planPasses(options, { availableBytes })).toThrow('statistics of fewer images');
    expect(planPasses(options, { availableBytes, allowSmallerStatistics: true })).toMatchObject({
      microBatch: 128,
      microBatches: 2,
    });
  });
});

describe('the learning-rate finder', () => {
  it('proposes a rate that trains, below those that diverge, and leaves no trace', async () => {
    const step = await TrainingStep.open(engine, compileStep(tinyStep(model, { batchNorm: 'batch' })));
    const before = await step.state();
    const { rate, curve } = await findLearningRate(step, tinySource(4, 4), { from: 1e-5, to: 1e4, steps: 60 });
    expect(curve.length).toBeLessThan(60);
    expect(curve[0]!.rate).toBe(1e-5);
    expect(rate).toBeGreaterThan(1e-4);
    expect(rate).toBeLessThan(curve.at(-1)!.rate / 10);
    expect(await step.state()).toEqual(before);
    await expect(findLearningRate(step, tinySource(4, 4), { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
    await expect(findLearningRate(step, tinySource(4, 4), { from: 1, to: 0.1 })).rejects.toThrow('must rise');
    await step.release();
  });
});

describe("the engine's choices", () => {
  it('are written before the first step and are the same when the run is taken up', async () => {
    const file = join(folder, 'engine.json');
    const tuning = await Tuning.open(engine, folder);
    const choices = await EngineChoices.open(engine, { file, gleaner: '1.0.0', tuning });
    expect(await choices.microBatch('finetune', () => 8)).toBe(8);
    expect(await readEngineRecord(file)).toEqual(choices.record);
    expect(choices.record).toMatchObject({ device: 'cpu', threads: 1, microBatch: { finetune: 8 } });

    const again = await EngineChoices.open(engine, { file, gleaner: '1.0.0', tuning });
    expect(again.record).toEqual(choices.record);
    expect(await again.microBatch('finetune', () => 4)).toBe(8);
    expect(again.target).toMatchObject({ kind: choices.record.target });
  });

  it('of another version or thread count stop a resume, unless accepted', async () => {
    const file = join(folder, 'other.json');
    const tuning = await Tuning.open(engine, folder);
    const { record } = await EngineChoices.open(engine, { file, gleaner: '1.0.0', tuning });
    await writeEngineRecord(file, { ...record, threads: 64, lowerings: { key: 'gone' } });
    await expect(EngineChoices.open(engine, { file, gleaner: '1.0.0', tuning })).rejects.toThrow(
      'threads: 64 then, 1 now',
    );
    const accepted = await EngineChoices.open(engine, { file, gleaner: '1.0.0', tuning, accept: true });
    expect(accepted.record).toEqual(record);
  });

  it('of another run can be taken over, and are followed', async () => {
    const [reuse, file] = [join(folder, 'theirs.json'), join(folder, 'ours.json')];
    const tuning = await Tuning.open(engine, folder);
    const { record } = await EngineChoices.open(engine, { file: reuse, gleaner: '1.0.0', tuning, target: 'plain' });
    await writeEngineRecord(reuse, { ...record, microBatch: { finetune: 2 }, lowerings: { key: 'second' } });
    const { target, record: ours } = await EngineChoices.open(engine, { file, reuse, gleaner: '1.0.0', tuning });
    expect(ours).toMatchObject({ target: 'plain', microBatch: {}, lowerings: { key: 'second' } });
    const candidates = ['first', 'second'].map((name) => ({ name, graph: () => model.graph }));
    expect(target.choose!(candidates, 'key')).toBe(1);
    expect(target.choose!(candidates, 'another')).toBe(0);
    expect(() => target.choose!(candidates.slice(0, 1), 'key')).toThrow('wants the lowering "second"');
    await expect(
      EngineChoices.open(engine, { file: join(folder, 'x.json'), reuse: join(folder, 'y.json'), gleaner: '1' }),
    ).rejects.toThrow('There is no engine record');
  });
});
