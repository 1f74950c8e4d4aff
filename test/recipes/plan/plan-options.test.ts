import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Decisions } from '../../../src/recipes/plan/decisions.ts';
import {
  isPlan,
  ofOneMethod,
  planFromRun,
  recordedPlan,
  resolvePlanOptions,
  toldAgain,
} from '../../../src/recipes/plan/plan-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'gleaner-plan-options-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('which options ask for the plan', () => {
  it.each([
    [{ data: 'd' }, true],
    [{ data: 'd', backbone: 'b.onnx', seed: 1, labelsPerClass: 5, flip: 'off' as const }, true],
    [{ data: 'd', method: 'plan' as const }, true],
    [{ data: 'd', budget: '3m' }, true],
    [{ data: 'd', maxSize: '5MB', backbone: ['a', 'b'] }, true],
    [{ data: 'd', epochs: 3 }, false],
    [{ data: 'd', folds: 0 }, false],
    [{ data: 'd', method: 'probe' as const }, false],
    [{ data: 'd', epochs: 3, budget: '3m' }, true],
  ])('%j: %s', (options, expected) => expect(isPlan(options)).toBe(expected));

  it('refuse what belongs to one method, and several backbones without the plan', () => {
    expect(() => resolvePlanOptions({ data: 'd', budget: '3m', epochs: 3 } as never)).toThrow(
      /"epochs" belongs to the training of one method/,
    );
    expect(() => resolvePlanOptions({ data: 'd', bugdet: '3m' } as never)).toThrow(/"bugdet" .*"budget"/);
    expect(() => resolvePlanOptions({ data: 'd', budget: 'soon' })).toThrow(/--budget soon/);
    expect(() => resolvePlanOptions({ data: 'd', backbone: 'b', model: 'digits' })).toThrow(/not both/);
    expect(() => ofOneMethod({ data: 'd', method: 'finetune', backbone: ['a', 'b'] } as never)).toThrow(/2 backbones/);
    expect(() => ofOneMethod({ data: 'd', method: 'probe', budget: '3m' } as never)).toThrow(/"budget" is of the plan/);
    expect(ofOneMethod({ data: 'd', epochs: 1, backbone: ['a'] } as never)).toMatchObject({ backbone: 'a' });
  });

  it('take backbones with commas, units, and come back from config.json', () => {
    const options = resolvePlanOptions({
      data: 'd',
      backbone: ['a.onnx,b.onnx', 'hf:c/d'],
      maxSize: '5MB',
      maxLatency: 20,
    });
    expect(options).toMatchObject({
      backbones: ['a.onnx', 'b.onnx', 'hf:c/d'],
      budget: 600,
      maxBytes: 5e6,
      maxMilliseconds: 20,
    });
    const recorded = JSON.parse(JSON.stringify(recordedPlan(options))) as Record<string, unknown>;
    expect(planFromRun(recorded)).toMatchObject({ ...options, train: { ...options.train, data: expect.any(String) } });
  });
});

describe('decisions', () => {
  it('are made once, whatever would be decided later, and the time before counts', async () => {
    const file = join(folder, 'decisions.json');
    const first = await Decisions.open(file, performance.now() - 5000);
    expect(await first.decide('length', () => ({ steps: 10 }))).toEqual({ steps: 10 });
    const second = await Decisions.open(file, performance.now());
    expect(second.has('length')).toBe(true);
    expect(await second.decide('length', () => ({ steps: 99 }))).toEqual({ steps: 10 });
    expect(second.spent).toBeGreaterThanOrEqual(5);
    expect(second.spent).toBeLessThan(65);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ decisions: { length: { steps: 10 } } });
    await writeFile(file, '{');
    await expect(Decisions.open(file, 0)).rejects.toThrow();
  });
});

it('what a plan was told is told again from its run, with nothing of the training of one method', () => {
  const options = {
    data: '/photos',
    backbone: ['/a.onnx', '/b.onnx'],
    budget: '2m',
    maxSize: '5MB',
    seed: 3,
    labelsPerClass: 10,
    gradients: true,
  };
  const resolved = resolvePlanOptions(options);
  const again = toldAgain(JSON.parse(JSON.stringify(recordedPlan(resolved))) as Record<string, unknown>);
  expect(isPlan(again)).toBe(true);
  expect(resolvePlanOptions(again)).toEqual(resolved);
});

it('leaves the choice of gradients to the labels again', () => {
  const resolved = resolvePlanOptions({ data: '/photos', backbone: '/a.onnx' });
  expect(toldAgain(recordedPlan(resolved) as unknown as Record<string, unknown>)).not.toHaveProperty('gradients');
});
