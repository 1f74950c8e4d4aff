import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { biasCorrectedAccuracy } from '../../src/evaluate/bias-corrected.ts';
import { wilsonInterval } from '../../src/evaluate/interval.ts';

/** Candidates that are right with these chances, independently. */
function candidates(chances: readonly number[], n: number, seed: number): boolean[][] {
  const stream = randomStream('candidates', seed);
  return chances.map((chance) => Array.from({ length: n }, () => stream.uniform() < chance));
}

describe('bias-corrected cross-validation', () => {
  it('is the plain accuracy for one candidate, with the interval of fewer images', () => {
    const right = candidates([0.7], 100, 0);
    const share = right[0]!.filter(Boolean).length / 100;
    const { accuracy, interval, optimism } = biasCorrectedAccuracy(right);
    expect(accuracy).toBe(share);
    const images = 100 / 1.2 ** 2;
    expect(interval).toEqual(wilsonInterval(share * images, images).map((x) => expect.closeTo(x, 12)));
    expect(interval[0]).toBeLessThan(wilsonInterval(share * 100, 100)[0]);
    expect(optimism).toBe(0);
  });

  it('takes off what choosing flatters by, where all candidates are as good', () => {
    const runs = Array.from({ length: 60 }, (_, seed) =>
      biasCorrectedAccuracy(
        candidates(
          Array.from({ length: 10 }, () => 0.5),
          100,
          seed,
        ),
      ),
    );
    const mean = (of: (run: (typeof runs)[number]) => number): number =>
      runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
    // The best of ten is 7 to 8 points too good (1.54 standard deviations of 5 points); what is left must be a fraction of it.
    expect(mean(({ accuracy, optimism }) => accuracy + optimism)).toBeGreaterThan(0.57);
    expect(Math.abs(mean(({ accuracy }) => accuracy) - 0.5)).toBeLessThan(0.015);
    const covered = runs.filter(({ interval: [low, high] }) => low <= 0.5 && 0.5 <= high).length;
    expect(covered / runs.length).toBeGreaterThan(0.9);
  });

  it('weighs images, and widens the interval by what the weights lose', () => {
    const right = [Array.from({ length: 100 }, (_, i) => i < 50)];
    const weights = Array.from({ length: 100 }, (_, i) => (i < 50 ? 1.8 : 0.2));
    const { accuracy, interval } = biasCorrectedAccuracy(right, weights);
    expect(accuracy).toBeCloseTo(0.9, 12);
    // (sum w)² / sum w² = 10,000 / 164, over the spread of models.
    const images = 10_000 / 164 / 1.2 ** 2;
    expect(interval).toEqual(wilsonInterval(accuracy * images, images).map((x) => expect.closeTo(x, 12)));
  });

  it('refuses predictions of different images', () => {
    expect(() => biasCorrectedAccuracy([[true], [true, false]])).toThrow(RangeError);
    expect(() => biasCorrectedAccuracy([])).toThrow(RangeError);
    expect(() => biasCorrectedAccuracy([[true]], [1, 1])).toThrow(RangeError);
  });
});
