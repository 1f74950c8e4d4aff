import { expect, it } from 'vitest';
import { schedule } from '../../src/optim/schedules.ts';
import { PacedSchedule } from '../../src/train/paced-schedule.ts';

it('goes on without a jump and falls to the same end, however often its length changes', () => {
  const whole = schedule({ name: 'cosine', totalSteps: 100, warmupSteps: 10 });
  const paced = new PacedSchedule(whole, 100);
  const before = Array.from({ length: 100 }, (_, step) => paced.factor(step));
  expect(before).toEqual(before.map((_, step) => whole(step)));
  paced.pace(40, 70);
  // 60 steps in 30: twice as fast from the same place.
  expect(paced.factor(40)).toBeCloseTo(whole(40), 12);
  expect(paced.factor(50)).toBeCloseTo(whole(60), 12);
  paced.pace(60, 65);
  // 20 of the old steps in 5.
  expect(paced.factor(60)).toBeCloseTo(whole(80), 12);
  expect(paced.factor(62)).toBeCloseTo(whole(88), 12);
  expect(paced.factor(65)).toBeCloseTo(0, 12);
  // 12 of the old steps in 23: longer again.
  paced.pace(62, 85);
  expect(paced.factor(62)).toBeCloseTo(whole(88), 12);
  expect(paced.factor(73.5)).toBeCloseTo(whole(94), 12);
  expect(paced.factor(85)).toBeCloseTo(0, 12);
});
