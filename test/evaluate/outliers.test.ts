import { describe, expect, it } from 'vitest';
import { fitOutlierScorer, outlierScores, outlierThreshold } from '../../src/evaluate/outliers.ts';
import golden from './golden/outliers.json' with { type: 'json' };

const { width, labels } = golden;
const own = { data: Float32Array.from(golden.own), width };
const asked = { data: Float32Array.from(golden.asked), width };

describe('fitOutlierScorer', () => {
  it('is the relative Mahalanobis distance: with a background of deviation 1, without one half of it', () => {
    const scores = outlierScores(fitOutlierScorer(own, labels, Float32Array.from(golden.background)), asked);
    for (const [i, score] of golden.scores.entries()) expect(scores[i]).toBeCloseTo(score, 3);
    const alone = outlierScores(fitOutlierScorer(own, labels), asked);
    for (const [i, score] of golden.scoresWithoutBackground.entries()) expect(alone[i]).toBeCloseTo(score, 3);
  });

  it('does not depend on the length of embeddings', () => {
    const scorer = fitOutlierScorer(own, labels);
    const longer = { data: asked.data.map((value) => 10 * value), width };
    const expected = outlierScores(scorer, asked);
    for (const [i, score] of outlierScores(scorer, longer).entries()) expect(score).toBeCloseTo(expected[i]!, 5);
  });

  it('stays finite for images that are all alike, and for an embedding of zeros', () => {
    const alike = { data: new Float32Array(12).fill(1), width: 3 };
    const scorer = fitOutlierScorer(alike, [0, 0, 1, 1]);
    const scores = outlierScores(scorer, { data: Float32Array.of(0, 0, 0, 1, 2, 3), width: 3 });
    expect(scores.every(Number.isFinite)).toBe(true);
  });

  it('makes no score of rounding: of images that are nearly alike, none lies far from the others', () => {
    const near = { data: Float32Array.from({ length: 120 }, (_, i) => 1 + 1e-6 * Math.sin(i * i)), width: 6 };
    const known = Array.from({ length: 20 }, (_, i) => i % 2);
    for (const background of [undefined, near.data]) {
      const scorer = fitOutlierScorer(near, known, background);
      const lengths = [0, 1].map((c) => Math.hypot(...scorer.weight.subarray(c * 6, (c + 1) * 6)));
      expect(Math.max(...lengths)).toBeLessThanOrEqual(100.001);
      const scores = outlierScores(scorer, near);
      expect(Math.max(...scores) - Math.min(...scores)).toBeLessThan(0.01);
    }
  });

  it('refuses sizes that disagree', () => {
    expect(() => fitOutlierScorer(own, [0, 1])).toThrow(RangeError);
    expect(() => fitOutlierScorer({ data: new Float32Array(0), width: 3 }, [])).toThrow(RangeError);
  });
});

describe('outlierThreshold', () => {
  it('leaves at most the share above it, one image more included', () => {
    const held = Array.from({ length: 99 }, (_, i) => 99 - i);
    // 95 of 100 places are at or below the 95th of 99 scores.
    expect(outlierThreshold(held)).toBe(95);
    expect(outlierThreshold(held, 0.5)).toBe(50);
  });

  it('says nothing of fewer than 19 images', () => {
    expect(outlierThreshold(Array.from({ length: 18 }, (_, i) => i))).toBeUndefined();
    expect(outlierThreshold(Array.from({ length: 19 }, (_, i) => i))).toBe(18);
  });
});
