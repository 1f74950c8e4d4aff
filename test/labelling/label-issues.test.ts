import { assert, constantFrom, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { confidentJoint } from '../../src/labelling/confident-learning.ts';
import { findLabelIssues } from '../../src/labelling/label-issues.ts';
import { neighbourOpinion } from '../../src/labelling/neighbour-opinion.ts';

/** Images in three clusters, some labels wrong, and what a good but unsure model says. */
function noisyPool(count: number, wrong: number, seed: number) {
  const stream = randomStream(seed, 'noisy-pool');
  const truth = Array.from({ length: count }, (_, i) => i % 3);
  const labels = truth.map((k, i) => (i < wrong ? (k + 1 + stream.integer(2)) % 3 : k));
  const probabilities = new Float64Array(count * 3);
  for (const [i, k] of truth.entries()) {
    const weights = [0, 1, 2].map((j) => Math.exp((j === k ? 3 : 0) + stream.normal()));
    const sum = weights.reduce((a, b) => a + b);
    for (const [j, w] of weights.entries()) probabilities[i * 3 + j] = w / sum;
  }
  return { labels, truth, probabilities, classes: ['a', 'b', 'c'] };
}

describe('confidentJoint', () => {
  // Worked out by hand: thresholds are the means 0.7 (0.9, 0.8, 0.4) and 0.55 (0.7, 0.4).
  const probabilities = Float64Array.from([0.9, 0.1, 0.8, 0.2, 0.4, 0.6, 0.3, 0.7, 0.6, 0.4]);
  const labels = [0, 0, 0, 1, 1];

  it('takes the mean self-confidence of a class as its threshold and counts what passes (eq. 1, 2)', () => {
    const { thresholds, counts, believed } = confidentJoint(probabilities, labels, 2);
    expect(thresholds[0]).toBeCloseTo(0.7, 12);
    expect(thresholds[1]).toBeCloseTo(0.55, 12);
    expect(Array.from(believed)).toEqual([0, 0, 1, 1, -1]);
    expect(counts).toEqual([[2, 1], [0, 1]]); // prettier-ignore
  });

  it('brings rows to the number of labels (eq. 3)', () => {
    const { joint } = confidentJoint(probabilities, labels, 2);
    const expected = [[(2 / 3) * 0.6, (1 / 3) * 0.6], [0, 0.4]]; // prettier-ignore
    for (const [i, row] of joint.entries())
      for (const [j, share] of row.entries()) expect(share).toBeCloseTo(expected[i]![j]!, 12);
  });

  it('takes the likeliest of several classes that pass', () => {
    const several = Float64Array.from([0.5, 0.45, 0.05, 0.2, 0.4, 0.4, 0.4, 0.2, 0.4]);
    expect(Array.from(confidentJoint(several, [0, 1, 2], 3).believed)).toEqual([0, 1, 2]);
  });

  it('says nothing of a class without labels', () => {
    const { thresholds, joint } = confidentJoint(probabilities.slice(0, 6), [0, 0, 0], 2);
    expect(thresholds[1]).toBeNaN();
    expect(joint.flat().reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });

  it('refuses what does not fit', () => {
    expect(() => confidentJoint(probabilities, [0, 1], 2)).toThrow('5 rows of probabilities, but 2 labels.');
    expect(() => confidentJoint(probabilities, [0, 0, 0, 1, 2], 2)).toThrow('Label 2 of row 4 is not one of 2 classes');
  });
});

describe('findLabelIssues', () => {
  it('finds planted wrong labels, with the true class, and about their share', () => {
    const { classes, labels, truth, probabilities } = noisyPool(900, 90, 1);
    const { ranking, noise, suspected } = findLabelIssues({ classes, labels, probabilities });
    const top = ranking.slice(0, 90);
    expect(top.filter(({ index }) => index < 90).length).toBeGreaterThan(60);
    expect(noise).toBeGreaterThan(0.05);
    expect(noise).toBeLessThan(0.2);
    const found = ranking.filter((one) => one.suspected && one.index < 90);
    expect(found.length).toBeGreaterThan(60);
    expect(found.filter(({ index, probable }) => probable === truth[index]).length / found.length).toBeGreaterThan(0.9);
    expect(suspected).toBe(ranking.filter((one) => one.suspected).length);
  });

  it('ranks by (p_y + (1 - max p_k) / 4) / 1.25', () => {
    const { classes, labels, probabilities } = noisyPool(60, 6, 2);
    const { ranking } = findLabelIssues({ classes, labels, probabilities });
    const expected = labels.map((label, i) => {
      const row = [0, 1, 2].map((k) => probabilities[i * 3 + k]!);
      return (row[label]! + (1 - Math.max(...row.filter((_, k) => k !== label))) / 4) / 1.25;
    });
    for (const { index, quality, label, believed } of ranking) {
      expect(quality).toBeCloseTo(expected[index]!, 12);
      expect(believed).toBe(probabilities[index * 3 + label]);
    }
    expect(ranking.map(({ index }) => index)).toEqual(
      [...labels.keys()].toSorted((a, b) => expected[a]! - expected[b]!),
    );
  });

  it('does not depend on the order of classes', () => {
    assert(
      property(integer({ min: 1, max: 1e6 }), constantFrom<readonly number[]>([1, 2, 0], [2, 1, 0]), (seed, order) => {
        const { classes, labels, probabilities } = noisyPool(45, 8, seed);
        const permuted = Float64Array.from(probabilities, (_, at) => probabilities[at - (at % 3) + order.indexOf(at % 3)]!); // prettier-ignore
        const names = classes.map((_, k) => classes[order.indexOf(k)]!);
        const renamed = labels.map((label) => order[label]!);
        const [one, other] = [
          findLabelIssues({ classes, labels, probabilities }),
          findLabelIssues({ classes: names, labels: renamed, probabilities: permuted }),
        ];
        expect(other.ranking.map(({ index, probable, suspected }) => [index, names[probable], suspected])).toEqual(
          one.ranking.map(({ index, probable, suspected }) => [index, classes[probable], suspected]),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('takes the mean with a second opinion', () => {
    const [p, q] = [Float64Array.from([0.6, 0.4, 0.3, 0.7]), Float64Array.from([0.1, 0.9, 0.5, 0.5])];
    const { ranking } = findLabelIssues({ classes: ['a', 'b'], labels: [0, 1], probabilities: p, neighbours: q });
    expect(ranking.map(({ index }) => index)).toEqual([0, 1]);
    expect(ranking[0]!.believed).toBeCloseTo(0.35, 12);
    expect(ranking[1]!.probability).toBeCloseTo(0.4, 12);
    const short = { classes: ['a', 'b'], labels: [0, 1], probabilities: p, neighbours: Float64Array.from([0.5, 0.5]) };
    expect(() => findLabelIssues(short)).toThrow('got 4 and 2 numbers');
  });
});

describe('neighbourOpinion', () => {
  // Two directions, and a copy of the first image with another label.
  const embeddings = Float32Array.from([1, 0, 0.99, 0.1, 0.98, -0.1, 0, 1, 0.1, 0.99, 1, 0]);
  const labels = [0, 0, 0, 1, 1, 1];

  it('says what others near by are labelled, weighted by cosine³', async () => {
    const opinion = await neighbourOpinion(embeddings, labels, 2);
    const weight = (i: number): number => {
      const [x, y] = [embeddings[2 * i]!, embeddings[2 * i + 1]!];
      return Math.max(0, x / Math.hypot(x, y)) ** 3;
    };
    const sums = [weight(1) + weight(2), weight(3) + weight(4) + weight(5)];
    const share = sums[0]! / (sums[0]! + sums[1]!);
    expect(opinion[0]).toBeCloseTo((share + 0.05) / 1.1, 6);
    for (let i = 0; i < 6; i++) expect(opinion[2 * i]! + opinion[2 * i + 1]!).toBeCloseTo(1, 12);
  });

  it('does not hear copies of the image itself', async () => {
    const without = await neighbourOpinion(embeddings, labels, 2, [9, 1, 2, 3, 4, 9]);
    const all = await neighbourOpinion(embeddings, labels, 2);
    expect(without[0]).toBeGreaterThan(all[0]! + 0.2);
  });
});
