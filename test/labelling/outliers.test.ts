import { describe, expect, it } from 'vitest';
import { labelImages } from '../../src/labelling/label-images.ts';

describe('labelImages with outlier scores', () => {
  const probabilities = Float32Array.of(0.9, 0.1, 0.8, 0.2, 0.3, 0.7);
  const classes = ['cat', 'dog'];
  const label = (scores: Float32Array) =>
    labelImages(
      { classes, probabilities, outliers: { scores, threshold: 1.5 } },
      { labels: 'soft', threshold: { kind: 'none' } },
    );

  it('sets aside what lies above the threshold, counts it, and says why', () => {
    const { labels, summary } = label(Float32Array.of(0.2, 1.75, 1.5));
    expect(labels.map(({ used }) => used)).toEqual([true, false, true]);
    expect(labels[1]).toMatchObject({ weight: 0, outlierScore: 1.75 });
    expect(labels[1]!.reason).toBe('looks like none of the classes: outlier score 1.75 is above 1.50');
    expect(summary).toMatchObject({ images: 3, used: 2, setAside: 1 });
    expect(summary.perClass['cat']).toMatchObject({ predicted: 2, used: 1 });
  });

  it('refuses scores of other images', () => {
    expect(() => label(Float32Array.of(1))).toThrow(/expected 3/);
  });
});
