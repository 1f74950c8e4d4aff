import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { schedule, type ScheduleName, type ScheduleOptions } from '../../src/optim/schedules.ts';

const { schedules: golden } = JSON.parse(
  readFileSync(new URL('golden/trajectories.json', import.meta.url), 'utf8'),
) as { schedules: { oneCycle: number[][]; cosine: number[]; step: number[] } };

it.each([
  ['one-cycle', golden.oneCycle[0]!],
  ['one-cycle', golden.oneCycle[1]!],
  ['cosine', golden.cosine],
  ['step', golden.step],
] as const)('%s is that of PyTorch', (name, expected) => {
  expect(factors({ name, totalSteps: expected.length })).toEqual(expected.map((f) => expect.closeTo(f, 9)));
});

it('linear falls to 0 just after the last step, constant stays', () => {
  expect(factors({ name: 'linear', totalSteps: 4 })).toEqual([1, 0.75, 0.5, 0.25]);
  expect(factors({ name: 'constant', totalSteps: 3 })).toEqual([1, 1, 1]);
  expect(schedule({ name: 'linear', totalSteps: 4 })(9)).toBe(0);
});

it('warm-up rises to the peak, then the schedule spans the rest', () => {
  const got = factors({ name: 'linear', totalSteps: 8, warmupSteps: 4 });
  expect(got).toEqual([0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]);
});

it('every schedule is defined for a run of one step', () => {
  for (const name of ['cosine', 'one-cycle', 'step', 'linear', 'constant'] as const)
    expect(factors({ name, totalSteps: 1 })[0]).toBeGreaterThan(0);
});

it('refuses what it can not follow', () => {
  expect(() => schedule({ name: 'cosin' as ScheduleName, totalSteps: 3 })).toThrow('(did you mean "cosine"?)');
  expect(() => schedule({ name: 'cosine', totalSteps: 0 })).toThrow('positive number of steps, got 0');
  expect(() => schedule({ name: 'one-cycle', totalSteps: 3, warmupSteps: 1 })).toThrow('takes no warm-up');
  expect(() => schedule({ name: 'cosine', totalSteps: 3, gamma: 0.5 })).toThrow('has no milestones');
  expect(() => schedule({ name: 'step', totalSteps: 3, milestones: [1.5] })).toThrow('between 0 and 1, got 1.5');
});

function factors(options: ScheduleOptions): number[] {
  const at = schedule(options);
  return Array.from({ length: options.totalSteps }, (_, step) => at(step));
}
