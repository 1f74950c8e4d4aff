import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { fitLearningCurve, type CurveMeasurement } from '../../src/evaluate/learning-curve.ts';

/** Of each image and size, whether a model that is right with probability 1 - error(m) was. */
function measurements(error: (m: number) => number, images: number, seed = 1): CurveMeasurement[] {
  const stream = randomStream(seed, 'curve');
  const right = (m: number): number[] => Array.from({ length: images }, () => (stream.uniform() > error(m) ? 1 : 0));
  return [15, 30, 50, 80].map((labels) => ({ labels, right: right(labels) }));
}

const fit = (measured: readonly CurveMeasurement[], labels = 100, ahead = 50, seed = 0) =>
  fitLearningCurve(measured, labels, ahead, randomStream(seed, 'bootstrap'));

describe('fitLearningCurve', () => {
  it('finds a and b of error = a + b / sqrt(m)', () => {
    const exact = [16, 25, 64].map((labels) => ({ labels, right: [1 - (0.1 + 2 / Math.sqrt(labels))] }));
    const { now, next, gain, doubling, limit } = fit(exact);
    expect(now.accuracy).toBeCloseTo(0.9 - 0.2, 12);
    expect(next).toEqual({ labels: 150, accuracy: expect.closeTo(0.9 - 2 / Math.sqrt(150), 12) });
    expect(gain).toBeCloseTo(0.2 - 2 / Math.sqrt(150), 12);
    expect(doubling).toBeCloseTo(0.2 - 2 / Math.sqrt(200), 12);
    expect(limit).toBe('labels');
  });

  it('says that the model limits where the curve is flat, and promises nothing where it falls', () => {
    const flat = fit([16, 25, 64].map((labels) => ({ labels, right: [0.6 - 0.1 / labels] })));
    expect(flat.limit).toBe('model');
    expect(flat.words).toContain('The model limits now');
    const falling = fit([16, 25, 64].map((labels) => ({ labels, right: [0.6 - 0.001 * labels] })));
    expect(falling.gain).toBe(0);
    expect(falling.now.accuracy).toBeCloseTo(0.6 - 0.035, 12);
  });

  it('takes no error below 0', () => {
    const steep = fit([16, 64].map((labels) => ({ labels, right: [1 - 4 / labels] })));
    // The line through both errors, 0.25 and 0.0625, would pass below 0 at more labels.
    expect(steep.next.accuracy).toBeLessThan(1);
    expect(
      fit(
        [16, 64].map((labels) => ({ labels, right: [1 - 4 / labels] })),
        1e6,
      ).now.accuracy,
    ).toBeLessThanOrEqual(1);
  });

  it('has an interval about the gain that is narrower with more images', () => {
    const error = (m: number): number => 0.1 + 2.5 / Math.sqrt(m);
    const widthOf = (images: number): number =>
      [1, 2, 3, 4, 5, 6].reduce((sum, seed) => {
        const { gain, interval80 } = fit(measurements(error, images, seed));
        expect(interval80[0]).toBeLessThan(gain);
        expect(interval80[1]).toBeGreaterThan(gain);
        return sum + interval80[1] - interval80[0];
      }, 0);
    expect(widthOf(2000)).toBeLessThan(widthOf(40));
    expect(fit(measurements(error, 60))).toEqual(fit(measurements(error, 60)));
  });

  it('refuses what is no curve', () => {
    const one = { labels: 10, right: [1, 0] };
    expect(() => fit([one, one])).toThrow('at two numbers of labels or more, got 2.');
    expect(() => fit([one, { labels: 20, right: [1] }])).toThrow('of the same images');
  });
});
