import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cholesky, solveCholesky } from '../../src/core/cholesky.ts';
import { randomStream } from '../../src/core/random.ts';
import { blackBoxShift } from '../../src/labelling/bbse.ts';
import { estimatePrior } from '../../src/labelling/class-prior.ts';
import { labelImages } from '../../src/labelling/label-images.ts';
import { fitLogistic } from '../../src/labelling/logistic-calibration.ts';
import { saerensPrior } from '../../src/labelling/saerens.ts';
import { sharpen } from '../../src/labelling/sharpen.ts';
import { simulatedPool } from './simulated-pool.ts';

const { logistic } = JSON.parse(readFileSync(new URL('golden/labelling.json', import.meta.url), 'utf8')) as {
  logistic: { z: number[]; right: boolean[]; weights: number[]; coefficients: [number, number] };
};
const l1 = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (value, k) => Math.abs(value - b[k]!)).reduce((sum, value) => sum + value, 0);
const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

it('solves by Cholesky', () => {
  const a = Float64Array.of(4, 2, 2, 3);
  const x = solveCholesky(cholesky(a, 2), [2, 5], 2);
  expect(4 * x[0]! + 2 * x[1]!).toBeCloseTo(2, 12);
  expect(2 * x[0]! + 3 * x[1]!).toBeCloseTo(5, 12);
});

describe('logistic calibration', () => {
  const unit = { mean: 0, deviation: 1 };
  it('has the coefficients of scikit-learn, and lies one deviation of their doubt below', () => {
    const rows = logistic.z.map((z) => [1, z]);
    const chance = fitLogistic(rows, logistic.right, logistic.weights, [unit, unit]);
    const [a, b] = logistic.coefficients;
    // The covariance is the inverse of the curvature, written out for two coefficients.
    let [h00, h01, h11] = [1, 0, 1];
    for (const [i, z] of logistic.z.entries()) {
      const p = 1 / (1 + Math.exp(-(a + b * z)));
      const w = logistic.weights[i]! * p * (1 - p);
      h00 += w;
      h01 += w * z;
      h11 += w * z * z;
    }
    for (const z of [-2, 0, 1, 4]) {
      const variance = (h11 - 2 * z * h01 + z * z * h00) / (h00 * h11 - h01 * h01);
      const expected = 1 / (1 + Math.exp(-(a + b * z - Math.sqrt(variance))));
      expect(chance([1, z])).toBeCloseTo(expected, 5);
    }
  });

  it('stays near its belief with few examples, and follows many', () => {
    const stream = randomStream('logistic');
    const truth = (z: number): number => 1 / (1 + Math.exp(-(0.3 * z - 1)));
    const fit = (n: number) => {
      const z = Array.from({ length: n }, () => 4 * stream.uniform());
      const right = z.map((value) => stream.uniform() < truth(value));
      const weights = z.map(() => 1);
      return fitLogistic(
        z.map((value) => [1, value]),
        right,
        weights,
        [unit, { mean: 1, deviation: 0.5 }],
      );
    };
    expect(fit(20_000)([1, 3])).toBeCloseTo(truth(3), 1);
    expect(fit(0)([1, 3])).toBeLessThan(1 / (1 + Math.exp(-3)));
    expect(fit(0)([1, 3])).toBeGreaterThan(0.75);
  });
});

describe('class prior', () => {
  // Two classes; the model says 0.8 for the true class of 8 of 10 images, else 0.2: it is calibrated.
  const predict = (label: number, i: number): number[] => {
    const p = i % 10 < 8 ? 0.8 : 0.2;
    return label === 0 ? [p, 1 - p] : [1 - p, p];
  };
  const made = (counts: number[]): Float64Array =>
    Float64Array.from(
      counts.flatMap((count, label) => Array.from({ length: count }, (_, i) => predict(label, i)).flat()),
    );
  const labels = Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : 1));
  const held = made([50, 50]);
  const pool = made([900, 100]);

  it('by Saerens: the likeliest mixture of the two kinds of rows', () => {
    // 740 rows say (0.8, 0.2), 260 (0.2, 0.8). The log-likelihood's slope in q vanishes where q = 0.9: 0.8 q + 0.2 (1 - q) = 0.74.
    const [first, second] = saerensPrior(pool, [0.5, 0.5]);
    expect(first).toBeCloseTo(0.9, 3);
    expect(first! + second!).toBeCloseTo(1, 12);
  });

  it('by black box shift estimation: C q = the mean prediction', () => {
    // Means of p_0 over held images: 0.68 of class 0, 0.32 of class 1; over the pool 0.644, so q = 0.9.
    const [first] = blackBoxShift(held, labels, pool, 2);
    expect(first).toBeCloseTo(0.9, 2);
  });

  it.each(['em', 'bbse'] as const)('is nearer to the truth than the labelled part under shift (%s)', (method) => {
    const errors = Array.from({ length: 6 }, (_, seed) => {
      const {
        held: own,
        probabilities,
        classes,
        shares,
      } = simulatedPool(seed, { perClass: method === 'em' ? 10 : 40 });
      const { prior, shrinkage, error } = estimatePrior(own, probabilities, classes, method);
      expect(prior.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
      expect(Math.min(...prior)).toBeGreaterThanOrEqual(0);
      expect(shrinkage).toBeGreaterThan(0);
      expect(error.every((value) => value > 0)).toBe(true);
      return {
        own: l1(prior, shares),
        labelled: l1(
          classes.map(() => 1 / classes.length),
          shares,
        ),
      };
    });
    for (const { own, labelled } of errors) expect(own).toBeLessThan(labelled);
    expect(mean(errors.map(({ own }) => own))).toBeLessThan(0.6 * mean(errors.map(({ labelled }) => labelled)));
  });

  it('is less in doubt, and drawn less to the mean prediction, with more labelled images', () => {
    const estimate = (perClass: number) => {
      const { held: own, probabilities, classes } = simulatedPool(1, { perClass, skew: 50 });
      return estimatePrior(own, probabilities, classes);
    };
    const [few, many] = [estimate(4), estimate(60)];
    expect(many.shrinkage).toBeLessThan(few.shrinkage);
    expect(mean(many.error)).toBeLessThan(mean(few.error));
  });

  it('is the same whatever the temperature of the teacher', () => {
    const { held: own, probabilities, classes } = simulatedPool(2);
    const size = classes.length;
    const calm = {
      probabilities: sharpen(own.probabilities, size, 2),
      labels: own.labels,
    };
    const one = estimatePrior(own, probabilities, classes);
    const other = estimatePrior(calm, sharpen(probabilities, size, 2), classes);
    expect(one.temperature).toBeGreaterThan(1.5);
    expect(one.temperature / other.temperature).toBeCloseTo(2, 2);
    for (const [k, share] of one.prior.entries()) expect(other.prior[k]).toBeCloseTo(share, 2);
  });

  it('is the same whatever the balance of the labels that the teacher learnt from', () => {
    // The same evidence, 4 to 1, by a teacher that saw twice as many images of the first class: 8/9 and 1/3.
    const learnt = (p: Float64Array): Float64Array =>
      Float64Array.from(p, (_, at) => {
        const first = p[at - (at % 2)] === 0.8 ? 8 / 9 : 1 / 3;
        return at % 2 === 0 ? first : 1 - first;
      });
    const uneven = {
      probabilities: learnt(made([100, 50])),
      labels: Array.from({ length: 150 }, (_, i) => (i < 100 ? 0 : 1)),
    };
    expect(saerensPrior(learnt(pool), [2 / 3, 1 / 3])[0]).toBeCloseTo(0.9, 3);
    expect(estimatePrior(uneven, learnt(pool), ['a', 'b']).prior[0]).toBeGreaterThan(0.85);
    expect(estimatePrior({ probabilities: held, labels }, pool, ['a', 'b']).prior[0]).toBeGreaterThan(0.85);
  });
});

describe('expected error', () => {
  const kept = (seed: number, pool: Parameters<typeof simulatedPool>[1] = {}) => {
    const { held, probabilities, classes, truth } = simulatedPool(seed, pool);
    const { labels, summary } = labelImages(
      { classes, probabilities, held },
      { labels: 'hard', threshold: { kind: 'expected-error', right: 0.95 } },
    );
    const used = [...labels.entries()].filter(([, label]) => label.used);
    return {
      right: used.filter(([i, { label }]) => label === truth[i]).length / used.length,
      accuracy: labels.filter(({ label }, i) => label === truth[i]).length / labels.length,
      share: used.length / labels.length,
      expected: summary.expectedRight!,
    };
  };

  it('keeps labels that are right as often as asked, of 100 labelled images and a shifted, over-confident teacher', () => {
    const draws = Array.from({ length: 24 }, (_, seed) => kept(seed, { images: 2000 }));
    const right = draws.map((draw) => draw.right);
    expect(mean(draws.map(({ accuracy }) => accuracy))).toBeLessThan(0.8);
    expect(mean(draws.map(({ share }) => share))).toBeGreaterThan(0.15);
    expect(mean(right)).toBeGreaterThan(0.93);
    expect(mean(right)).toBeLessThan(0.97);
    expect(Math.min(...right)).toBeGreaterThan(0.88);
    for (const { expected } of draws) expect(expected).toBeGreaterThanOrEqual(0.95);
  });

  it('is more exact with more labelled images', () => {
    const right = Array.from({ length: 6 }, (_, seed) => kept(seed, { perClass: 60 }).right);
    expect(mean(right.map((share) => Math.abs(share - 0.95)))).toBeLessThan(0.02);
  });
});

describe('agreement', () => {
  // A teacher whose probability says little: whether two views agree says nearly all.
  const stream = randomStream('agreement');
  const draw = (n: number) => {
    const labels = Array.from({ length: n }, (_, i) => i % 2);
    const agreement = Float32Array.from(labels, () => (stream.uniform() < 0.5 ? 1 : 0.5));
    const right = labels.map((_, i) => stream.uniform() < (agreement[i] === 1 ? 0.98 : 0.6));
    const probabilities = Float32Array.from(
      labels.flatMap((label, i) => (right[i] === (label === 0) ? [0.8, 0.2] : [0.2, 0.8])),
    );
    return { labels, agreement, right, probabilities };
  };
  const [known, pool] = [draw(400), draw(400)];
  // Four fifths of all are right, and of those that agree all but one in fifty.
  const threshold = { kind: 'expected-error', right: 0.9 } as const;
  const input = { classes: ['a', 'b'], probabilities: pool.probabilities, agreement: pool.agreement };

  const shareRight = (agreement: number): number =>
    mean(known.right.flatMap((right, i) => (known.agreement[i] === agreement ? [Number(right)] : [])));

  it('is measured where the held images have it', () => {
    const { labels } = labelImages(
      { ...input, held: { probabilities: known.probabilities, labels: known.labels, agreement: known.agreement } },
      { labels: 'hard', threshold },
    );
    for (const [i, { used }] of labels.entries()) expect(used).toBe(pool.agreement[i] === 1);
    for (const agreement of [0.5, 1]) {
      const chances = labels.flatMap(({ chance }, i) => (pool.agreement[i] === agreement ? [chance!] : []));
      // Caution takes a little off: one standard error.
      expect(mean(chances)).toBeLessThan(shareRight(agreement) + 0.01);
      expect(mean(chances)).toBeGreaterThan(shareRight(agreement) - 0.06);
    }
  });

  it('else multiplies the chance', () => {
    const held = { probabilities: known.probabilities, labels: known.labels };
    const options = { labels: 'hard', threshold } as const;
    const without = labelImages({ ...input, agreement: new Float32Array(400).fill(1), held }, options).labels;
    for (const [i, { chance }] of labelImages({ ...input, held }, options).labels.entries())
      expect(chance).toBeCloseTo(without[i]!.chance! * pool.agreement[i]!, 10);
  });
});
