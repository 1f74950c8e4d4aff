import { expect, it } from 'vitest';
import { schedule } from '../../src/optim/schedules.ts';
import { ShortenedSchedule } from '../../src/train/shortened-schedule.ts';

it('goes on without a jump and falls to the same end, however often it is shortened', () => {
  const whole = schedule({ name: 'cosine', totalSteps: 100, warmupSteps: 10 });
  const shortened = new ShortenedSchedule(whole, 100);
  const before = Array.from({ length: 100 }, (_, step) => shortened.factor(step));
  expect(before).toEqual(before.map((_, step) => whole(step)));
  shortened.shorten(40, 70);
  // 60 steps in 30: twice as fast from the same place.
  expect(shortened.factor(40)).toBeCloseTo(whole(40), 12);
  expect(shortened.factor(50)).toBeCloseTo(whole(60), 12);
  shortened.shorten(60, 65);
  // 20 of the old steps in 5.
  expect(shortened.factor(60)).toBeCloseTo(whole(80), 12);
  expect(shortened.factor(62)).toBeCloseTo(whole(88), 12);
  expect(shortened.factor(65)).toBeCloseTo(0, 12);
});
