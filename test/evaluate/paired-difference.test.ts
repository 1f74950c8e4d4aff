import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { pairedDifference } from '../../src/evaluate/paired-difference.ts';

/** Right or wrong on `n` images, `share` of them right. */
function answers(n: number, share: number, seed: string): number[] {
  const stream = randomStream('answers', seed);
  return Array.from({ length: n }, () => (stream.uniform() < share ? 1 : 0));
}

describe('pairedDifference', () => {
  it('is the mean difference, with an interval of the width that the normal distribution gives', () => {
    const [one, other] = [answers(400, 0.8, 'one'), answers(400, 0.7, 'other')];
    const { mean, interval } = pairedDifference(one, other);
    const differences = one.map((value, i) => value - other[i]!);
    const expected = differences.reduce((sum, value) => sum + value, 0) / 400;
    const error = Math.sqrt(differences.reduce((sum, value) => sum + (value - expected) ** 2, 0)) / 400;
    expect(mean).toBeCloseTo(expected, 12);
    expect((interval[0] - mean) / error).toBeCloseTo(-1.96, 0);
    expect((interval[1] - mean) / error).toBeCloseTo(1.96, 0);
  });

  it('is about images, not about how often they were right: equal answers leave no doubt', () => {
    const one = answers(50, 0.6, 'same');
    expect(pairedDifference(one, one)).toEqual({ mean: 0, interval: [0, 0] });
    expect(
      pairedDifference(
        one.map(() => 0.75),
        one.map(() => 0.5),
      ),
    ).toEqual({ mean: 0.25, interval: [0.25, 0.25] });
  });

  it('covers no difference in about 95 of 100 comparisons of equals', () => {
    const covered = Array.from({ length: 200 }, (_, i) =>
      pairedDifference(answers(100, 0.7, `a${i}`), answers(100, 0.7, `b${i}`)),
    ).filter(({ interval: [low, high] }) => low <= 0 && high >= 0);
    expect(covered.length).toBeGreaterThan(180);
    expect(covered.length).toBeLessThan(200);
  });

  it('gives the same interval again, and refuses what is not paired', () => {
    const [one, other] = [answers(30, 0.8, 'x'), answers(30, 0.5, 'y')];
    expect(pairedDifference(one, other)).toEqual(pairedDifference(one, other));
    expect(() => pairedDifference(one, other.slice(1))).toThrow(RangeError);
    expect(() => pairedDifference([], [])).toThrow(RangeError);
  });
});
