import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balancedAccuracy, crossValidate } from '../../src/audit/cross-validate.ts';
import { fitDiscriminant } from '../../src/audit/discriminant.ts';
import { naiveBayes } from '../../src/audit/naive-bayes.ts';
import { principalComponents } from '../../src/audit/principal-components.ts';
import { bootstrapInterval, quantile } from '../../src/evaluate/bootstrap.ts';
import { ascending, cliffsDelta, energyDistance, holm, permutationTest, spearman } from '../../src/audit/statistics.ts';
import { randomStream } from '../../src/core/random.ts';

const numbers = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 12 });
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const meanDistance = (a: readonly number[], b: readonly number[]): number =>
  mean(a.flatMap((x) => b.map((y) => Math.abs(x - y))));
const normals = (key: string, count: number, shift = 0, scale = 1): number[] => {
  const stream = randomStream(key);
  return Array.from({ length: count }, () => shift + scale * stream.normal());
};

describe('energyDistance', () => {
  it('is what the definition by pairs gives', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const expected = 2 * meanDistance(a, b) - meanDistance(a, a) - meanDistance(b, b);
        expect(energyDistance(ascending(a), ascending(b))).toBeCloseTo(expected, 8);
      }),
    );
  });

  it('counts a value of weight k as k values', () => {
    expect(energyDistance([1, 4], [2, 3, 9], [3, 1], [1, 1, 2])).toBeCloseTo(
      energyDistance([1, 1, 1, 4], [2, 3, 9, 9]),
      12,
    );
  });
});

describe('tests and effects', () => {
  it('Holm corrects as R does: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  });

  it("Cliff's delta is what pairs give", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const expected = mean(a.flatMap((x) => b.map((y) => Math.sign(y - x))));
        expect(cliffsDelta(ascending(a), ascending(b))).toBeCloseTo(expected, 10);
      }),
    );
  });

  it('quantiles and rank correlations are those of numpy and scipy', () => {
    // numpy.quantile([1, 2, 4, 8], [0.1, 0.5, 0.9]); scipy.stats.spearmanr([1, 2, 2, 5, 3], [3, 1, 4, 9, 9])
    expect([0.1, 0.5, 0.9].map((share) => Number(quantile([1, 2, 4, 8], share).toFixed(12)))).toEqual([1.3, 3, 6.8]);
    expect(spearman([1, 2, 2, 5, 3], [3, 1, 4, 9, 9])).toBeCloseTo(0.7894736842105264, 12);
  });

  it('the permutation test finds a shift and a wider spread, and is even where there is none', () => {
    const [one, shifted, wider] = [normals('a', 80), normals('b', 80, 0.8), normals('c', 80, 0, 2.5)];
    expect(permutationTest(one, shifted, randomStream(1))).toBeLessThan(0.01);
    expect(permutationTest(one, wider, randomStream(1))).toBeLessThan(0.01);
    const ps = Array.from({ length: 200 }, (_, i) =>
      permutationTest(normals(`x${i}`, 30), normals(`y${i}`, 20), randomStream(i), 199),
    );
    // Within four standard deviations of what even p-values give.
    for (const level of [0.1, 0.25, 0.5])
      expect(Math.abs(ps.filter((p) => p <= level).length / 200 - level)).toBeLessThan(
        4 * Math.sqrt((level * (1 - level)) / 200),
      );
  });

  it('the bootstrap covers a mean about as often as it says', () => {
    const inside = Array.from({ length: 100 }, (_, i) =>
      bootstrapInterval((values) => mean([...values!]), [normals(`m${i}`, 40)], randomStream(i)),
    ).filter(([low, high]) => low <= 0 && high >= 0);
    expect(inside.length).toBeGreaterThan(85);
  });
});

describe('classifiers', () => {
  const labels = Array.from({ length: 120 }, (_, i) => i % 3);

  it('the discriminant uses what features have in common', () => {
    // Each feature alone is buried in what both share.
    const stream = randomStream('pair');
    const rows = labels.map((label) => {
      const common = 10 * stream.normal();
      return [common + label + 0.2 * stream.normal(), common - label + 0.2 * stream.normal()];
    });
    const fit = fitDiscriminant(rows, labels, 3);
    expect(rows.filter((row, i) => fit.predict(row) === labels[i]).length).toBeGreaterThan(100);
  });

  it('naive Bayes learns sets of values that no line divides', () => {
    const rows = labels.map((label, i) => [label === 1 ? 4 : i % 2 === 0 ? 1 : 7]);
    const two = labels.map((label) => (label === 1 ? 1 : 0));
    const groups = [...labels.keys()];
    expect(crossValidate(rows, two, 2, groups, naiveBayes(2), 0).accuracy.value).toBe(1);
  });

  it('cross-validation stays at chance on noise and keeps copies together', () => {
    const stream = randomStream('noise');
    const rows = labels.map(() => [stream.normal(), stream.normal(), stream.normal()]);
    const groups = [...labels.keys()];
    const fit = (some: readonly number[][], own: readonly number[]) => fitDiscriminant(some, own, 3).predict;
    const { accuracy } = crossValidate(rows, labels, 3, groups, fit, 0);
    expect(accuracy.interval[0]).toBeLessThan(1 / 3);
    // Each image twice: what knows its copy by heart is right only if the copy was there to be learnt.
    const twice = [...rows, ...rows];
    const byHeart = (some: readonly number[][], own: readonly number[]) => (row: readonly number[]) =>
      own[some.findIndex((known) => known[0] === row[0])] ?? 0;
    const all = [...labels, ...labels];
    const apart = crossValidate(twice, all, 3, [...all.keys()], byHeart, 0).accuracy.value;
    const together = crossValidate(twice, all, 3, [...groups, ...groups], byHeart, 0).accuracy.value;
    expect(apart).toBeGreaterThan(0.7);
    expect(together).toBeCloseTo(1 / 3, 10);
  });

  it('counts classes alike, however uneven they are', () => {
    const uneven = [...Array.from({ length: 90 }, () => 0), ...Array.from({ length: 10 }, () => 1)];
    expect(
      balancedAccuracy(
        uneven,
        uneven.map(() => 0),
        2,
      ).value,
    ).toBe(0.5);
  });

  it('principal components keep the directions of most variance', () => {
    const stream = randomStream('pca');
    const rows = Array.from({ length: 200 }, () => {
      const [a, b] = [10 * stream.normal(), 3 * stream.normal()];
      return [a + b, a - b, 0.1 * stream.normal(), 5];
    });
    const projected = rows.map((row) => principalComponents(rows, 2).apply(row));
    const variance = (k: number): number => mean(projected.map((row) => row[k]! ** 2));
    expect(variance(0)).toBeGreaterThan(150);
    expect(variance(1)).toBeGreaterThan(10);
    expect(variance(1)).toBeLessThan(30);
  });
});
