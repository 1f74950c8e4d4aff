import { describe, expect, it } from 'vitest';
import { combineViews } from '../../src/labelling/agreement.ts';

describe('views of the same images', () => {
  const views = [
    Float32Array.of(0.9, 0.1, 1, 0, 0.6, 0.4),
    Float32Array.of(0.9, 0.1, 0, 1, 0.4, 0.6),
    Float32Array.of(0.9, 0.1, 1, 0, 0.3, 0.7),
  ];
  const { probabilities, agreement, disagreement } = combineViews(views, 2);

  it('have a mean and a share that agree with it', () => {
    const expected = [0.9, 0.1, 2 / 3, 1 / 3, 1.3 / 3, 1.7 / 3];
    for (const [at, p] of expected.entries()) expect(probabilities[at]).toBeCloseTo(p, 6);
    expect(agreement[0]).toBe(1);
    expect(agreement[1]).toBeCloseTo(2 / 3, 6);
    expect(agreement[2]).toBeCloseTo(2 / 3, 6);
  });

  it('disagree by the entropy of the mean less the mean entropy', () => {
    const entropy = (p: number): number => (p === 0 || p === 1 ? 0 : -p * Math.log(p) - (1 - p) * Math.log(1 - p));
    expect(disagreement[0]).toBeCloseTo(0, 6);
    // Views that are sure: all that there is to know is which of them is right.
    expect(disagreement[1]).toBeCloseTo(entropy(2 / 3), 6);
    expect(disagreement[2]).toBeCloseTo(entropy(1.3 / 3) - (entropy(0.6) + entropy(0.4) + entropy(0.3)) / 3, 6);
  });

  it('agree with themselves where there is one', () => {
    const one = combineViews(views.slice(2), 2);
    expect([...one.probabilities]).toEqual([...views[2]!]);
    expect([...one.agreement]).toEqual([1, 1, 1]);
    for (const value of one.disagreement) expect(value).toBeCloseTo(0, 6);
  });

  it('must be there, of one size, and probabilities', () => {
    expect(() => combineViews([], 2)).toThrow(/got none/);
    expect(() => combineViews([views[0]!, Float32Array.of(1, 0)], 2)).toThrow(/got 3, 1 rows/);
    expect(() => combineViews([views[0]!, Float32Array.of(2, 0, 1, 0, 1, 0)], 2)).toThrow(/view 1: row 0/);
  });
});
