import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.ts';
import { GAINS, type Gain } from '../../../src/recipes/plan/gains.ts';
import { judge, judgementInWords } from '../../../src/recipes/plan/judge.ts';
import { weightsOf } from '../../../src/recipes/plan/plan-estimate.ts';
import type { Predictions } from '../../../src/evaluate/predictions.ts';

const PRIOR: Gain = { mean: 0.02, deviation: 0.03, source: 'a test' };

/** Of two classes; row i is right where `right` says so. */
function predictions(right: readonly boolean[]): Predictions {
  return {
    classes: ['a', 'b'],
    labels: right.map(() => 0),
    ids: right.map((_, i) => `${i}`),
    logits: Float64Array.from(right.flatMap((is) => (is ? [1, 0] : [0, 1]))),
  };
}

/** n images of which so many are gained and lost. */
function pair(n: number, gained: number, lost: number): [Predictions, Predictions] {
  const after = Array.from({ length: n }, (_, i) => i >= lost);
  const before = Array.from({ length: n }, (_, i) => i < lost || i >= lost + gained);
  return [predictions(after), predictions(before)];
}

describe('judge', () => {
  it('is the conjugate posterior of a normal prior, by integration', () => {
    for (const [gained, lost] of [
      [5, 12],
      [12, 5],
      [0, 0],
      [0, 20],
    ] as const) {
      const { seen, expected, worse } = judge(PRIOR, ...pair(100, gained, lost));
      expect(seen!.mean).toBeCloseTo((gained - lost) / 100, 12);
      let [mass, mean, below] = [0, 0, 0];
      for (let step = -10_000; step < 10_000; step++) {
        const g = (step + 0.5) * 1e-4;
        const density =
          Math.exp(-((g - PRIOR.mean) ** 2) / (2 * PRIOR.deviation ** 2)) *
          Math.exp(-((g - seen!.mean) ** 2) / (2 * seen!.error ** 2));
        mass += density;
        mean += g * density;
        if (g < 0) below += density;
      }
      expect(expected.mean).toBeCloseTo(mean / mass, 5);
      expect(worse).toBeCloseTo(below / mass, 5);
    }
  });

  it('keeps a stage unless it is likely worse', () => {
    expect(judge(PRIOR, ...pair(100, 10, 12)).isKept).toBe(true);
    expect(judge(PRIOR, ...pair(100, 2, 16)).isKept).toBe(false);
    // Of ten images without a difference, little follows.
    const few = judge(PRIOR, ...pair(10, 0, 0));
    expect(few.expected.mean).toBeCloseTo(PRIOR.mean, 2);
    expect(judge(PRIOR, undefined, undefined)).toMatchObject({ isKept: true, expected: { mean: 0.02 } });
  });

  it('adds how far students of folds stay behind, with its doubt', () => {
    const behind = { ...PRIOR, shortfall: { mean: 0.05, deviation: 0.04 } };
    const [plain, helped] = [PRIOR, behind].map((gain) => judge(gain, ...pair(100, 2, 12)));
    expect(helped!.expected.mean).toBeGreaterThan(plain!.expected.mean);
    expect(helped!.expected.deviation).toBeGreaterThan(plain!.expected.deviation);
  });

  it('drops what is worse more often than what is better, whatever the noise', () => {
    const drops = (gain: number): number => {
      let count = 0;
      for (let run = 0; run < 200; run++) {
        const stream = randomStream('judge', run);
        const before = Array.from({ length: 100 }, () => stream.uniform() < 0.7);
        const after = before.map((right) => (stream.uniform() < 0.15 ? stream.uniform() < 0.7 + gain / 0.15 : right));
        if (!judge(GAINS.finetune, predictions(after), predictions(before)).isKept) count++;
      }
      return count / 200;
    };
    expect(drops(0.03)).toBeLessThan(0.05);
    expect(drops(-0.1)).toBeGreaterThan(0.5);
  });

  it('refuses other images, and says what it found', () => {
    const [after] = pair(10, 1, 1);
    expect(() => judge(PRIOR, after, pair(11, 1, 1)[1])).toThrow(RangeError);
    const text = judgementInWords(judge(PRIOR, ...pair(100, 2, 16)), PRIOR, 'the probe');
    expect(text).toMatch(
      /On 100 held-out images -14.0 ± 4.4 points over the probe.*chance that it is worse is \d+ %, above/,
    );
  });
});

describe('weights of classes', () => {
  const labels = (counts: readonly number[]): number[] => counts.flatMap((n, k) => Array.from({ length: n }, () => k));

  it('are none where the labels may have been drawn as the pool is', () => {
    expect(weightsOf(labels([40, 35, 25]), [0.4, 0.35, 0.25])).toBeUndefined();
    const prior = [0.4, 0.5, 0.1];
    let rejected = 0;
    for (let run = 0; run < 400; run++) {
      const stream = randomStream('drawn', run);
      const drawn = Array.from({ length: 100 }, () => {
        const u = stream.uniform();
        return u < 0.4 ? 0 : u < 0.9 ? 1 : 2;
      });
      if (weightsOf(drawn, prior) !== undefined) rejected++;
    }
    expect(rejected / 400).toBeLessThan(0.1);
  });

  it('give a balanced list the shares of a skewed pool', () => {
    const weights = weightsOf(labels([20, 20, 20]), [0.7, 0.2, 0.1])!;
    const sums = [0, 1, 2].map((k) => weights.filter((_, i) => labels([20, 20, 20])[i] === k).reduce((a, b) => a + b));
    expect(sums.map((sum) => sum / 60)).toEqual([0.7, 0.2, 0.1].map((share) => expect.closeTo(share, 6)));
  });
});
