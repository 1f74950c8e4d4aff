import { describe, expect, test } from 'vitest';
import { armRows } from '../../bench/support/arm-table.mjs';
import { deviation, mean, pairedInterval, studentQuantile } from '../../bench/support/statistics.mjs';

test.each([
  // scipy.stats.t.ppf
  [0.975, 1, 12.706204736174694],
  [0.975, 2, 4.302652729749462],
  [0.975, 3, 3.1824463052837078],
  [0.975, 4, 2.7764451051977934],
  [0.975, 9, 2.262157162798205],
  [0.975, 30, 2.0422724563012378],
  [0.9, 5, 1.4758840488244811],
])('the %f quantile of t with %i degrees of freedom', (p, degrees, value) => {
  expect(studentQuantile(p, degrees)).toBeCloseTo(value, 9);
});

test('mean, spread and interval, as scipy.stats.ttest_1samp gives it', () => {
  const list = [0.021, 0.034, 0.012, 0.05, 0.027];
  expect(mean(list)).toBeCloseTo(0.0288, 12);
  expect(deviation(list)).toBeCloseTo(0.01434224529144583, 12);
  const { interval, n } = pairedInterval(list);
  expect(n).toBe(5);
  expect(interval![0]).toBeCloseTo(0.010991750368204264, 10);
  expect(interval![1]).toBeCloseTo(0.046608249631795745, 10);
  expect(pairedInterval([0.3])).toEqual({ mean: 0.3, interval: null, n: 1 });
  expect(pairedInterval([])).toEqual({ mean: null, interval: null, n: 0 });
});

describe('armRows', () => {
  const cell = (arm: string, seed: number, accuracy: number): object => ({
    arm,
    seed,
    accuracy,
    images: 100,
    trainingSeconds: seed,
  });
  const cells = [cell('a', 1, 0.5), cell('b', 1, 0.6), cell('b', 3, 0.8), cell('a', 2, 0.7), cell('b', 2, 0.9)];

  test('pairs seeds, in whatever order, and only those that both arms have', () => {
    const [a, b] = armRows(cells, ['accuracy'], 'a');
    expect(a).toMatchObject({ arm: 'a', metric: 'accuracy', runs: 2, mean: 0.6, trainingSeconds: 1.5 });
    expect(a.gain).toBeUndefined();
    expect(b).toMatchObject({ arm: 'b', runs: 3, images: 100 });
    expect(b.gain.n).toBe(2);
    expect(b.gain.mean).toBeCloseTo(0.15, 12);
    // 0.1 and 0.2: 0.15 +- 12.706 * 0.0707 / sqrt(2).
    expect(b.gain.interval[0]).toBeCloseTo(0.15 - 12.7062047 * 0.05, 6);
  });

  test('says nothing of a difference where the named arm is missing', () => {
    expect(armRows(cells, ['accuracy'], 'c').map(({ gain }: { gain?: object }) => gain)).toEqual([
      undefined,
      undefined,
    ]);
  });
});
