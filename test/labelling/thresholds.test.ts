import { describe, expect, it } from 'vitest';
import { alignmentFactors, logitAdjustmentFactors } from '../../src/labelling/adjust.ts';
import { balanced } from '../../src/labelling/balance.ts';
import { samplingRates } from '../../src/labelling/crest.ts';
import { lowestChance } from '../../src/labelling/expected-error.ts';
import { flexThresholds } from '../../src/labelling/flex-match.ts';
import { freeThresholds } from '../../src/labelling/free-match.ts';
import { lowestKept } from '../../src/labelling/most-confident.ts';
import { meanRow, mostLikely, reweighted } from '../../src/labelling/probabilities.ts';
import { sharpen } from '../../src/labelling/sharpen.ts';
import { softWeights } from '../../src/labelling/soft-match.ts';

// Three classes, six images; the most likely classes are 0, 0, 0, 1, 1, 2.
const rows = [
  [0.97, 0.02, 0.01],
  [0.96, 0.02, 0.02],
  [0.7, 0.2, 0.1],
  [0.03, 0.96, 0.01],
  [0.3, 0.6, 0.1],
  [0.25, 0.25, 0.5],
];
const probabilities = Float64Array.from(rows.flat());
const likely = mostLikely(probabilities, 3);
const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const column = (k: number): number[] => rows.map((row) => row[k]!);

describe('what the papers say, written out', () => {
  it('FlexMatch: beta = sigma / max(max sigma, unused), T = beta / (2 - beta) tau', () => {
    // Two pass 0.95 as class 0, one as class 1, none as class 2; three are unused, more than any class has.
    const of = (sigma: number): number => ((beta) => (beta / (2 - beta)) * 0.95)(sigma / Math.max(2, 3));
    expect(flexThresholds(likely, 3, 0.95)).toEqual([of(2), of(1), of(0)]);
    // Where most are learnt, the class that is learnt best has the whole threshold: sigma is 3, 2, 0; one is unused.
    const [best, second, none] = flexThresholds(likely, 3, 0.55);
    expect(best).toBeCloseTo(0.55, 12);
    expect(second).toBeCloseTo((2 / 3 / (2 - 2 / 3)) * 0.55, 12);
    expect(none).toBe(0);
  });

  it('FreeMatch: the mean confidence times the class mean over the largest class mean', () => {
    const tau = mean([0.97, 0.96, 0.7, 0.96, 0.6, 0.5]);
    const local = [0, 1, 2].map((k) => mean(column(k)));
    for (const [k, threshold] of freeThresholds(probabilities, 3).entries())
      expect(threshold).toBeCloseTo((local[k]! / Math.max(...local)) * tau, 12);
  });

  it('SoftMatch: a Gaussian below the mean confidence, 1 above', () => {
    const confidences = [0.97, 0.96, 0.7, 0.96, 0.6, 0.5];
    const mu = mean(confidences);
    const variance = confidences.reduce((sum, p) => sum + (p - mu) ** 2, 0) / 5;
    const { weights, mean: found } = softWeights(likely.confidences);
    expect(found).toBeCloseTo(mu, 12);
    for (const [i, p] of confidences.entries())
      expect(weights[i]).toBeCloseTo(p >= mu ? 1 : Math.exp(-((p - mu) ** 2) / (2 * variance)), 12);
    // Where all are equally sure there is no variance to divide by.
    expect([...softWeights(Float64Array.of(0.4, 0.4)).weights]).toEqual([1, 1]);
  });

  it('CReST: (N_(K+1-l) / N_1)^(1/3) by falling frequency', () => {
    const rates = samplingRates([0.1, 0.5, 0.25, 0.15]);
    // Rarest first class keeps all; the most frequent keeps as the rarest one's share tells.
    expect(rates[0]).toBe(1);
    expect(rates[1]).toBeCloseTo((0.1 / 0.5) ** (1 / 3), 12);
    expect(rates[2]).toBeCloseTo((0.15 / 0.5) ** (1 / 3), 12);
    expect(rates[3]).toBeCloseTo((0.25 / 0.5) ** (1 / 3), 12);
  });

  it('sharpening: p^(1/T) over its sum; tiny powers leave no NaN', () => {
    const [a, b] = sharpen(Float64Array.of(0.8, 0.2), 2, 0.5);
    expect(a).toBeCloseTo(0.64 / 0.68, 12);
    expect(b).toBeCloseTo(0.04 / 0.68, 12);
    expect([...sharpen(Float64Array.of(0.3, 0.2, 0.5), 3, 1)]).toEqual(
      [0.3, 0.2, 0.5].map((p) => expect.closeTo(p, 12)),
    );
    expect([...sharpen(Float64Array.of(0.51, 0.49), 2, 1e-4)]).toEqual([1, expect.closeTo(0, 12)]);
  });

  it('distribution alignment: p times prior over mean, normalised; the mean comes nearer to the prior', () => {
    const prior = [0.2, 0.3, 0.5];
    const aligned = reweighted(probabilities, alignmentFactors(probabilities, prior));
    const raw = rows[2]!.map((p, k) => (p * prior[k]!) / mean(column(k)));
    const sum = raw.reduce((total, value) => total + value, 0);
    for (let k = 0; k < 3; k++) expect(aligned[6 + k]).toBeCloseTo(raw[k]! / sum, 12);
    const distance = (p: ArrayLike<number>): number =>
      prior.reduce((total, share, k) => total + Math.abs(share - meanRow(Float64Array.from(p), 3)[k]!), 0);
    expect(distance(aligned)).toBeLessThan(distance(probabilities));
  });

  it('logit adjustment: softmax(log p + log prior - log source)', () => {
    const [prior, source] = [
      [0.2, 0.3, 0.5],
      [0.6, 0.3, 0.1],
    ] as const;
    const adjusted = reweighted(probabilities, logitAdjustmentFactors([...prior], [...source]));
    const logits = rows[4]!.map((p, k) => Math.log(p) + Math.log(prior[k]!) - Math.log(source[k]!));
    const sum = logits.reduce((total, z) => total + Math.exp(z), 0);
    for (let k = 0; k < 3; k++) expect(adjusted[12 + k]).toBeCloseTo(Math.exp(logits[k]!) / sum, 12);
  });
});

describe('by rank', () => {
  it('keeps the best share of each class, rounded up, and all of equal scores', () => {
    const labels = [0, 0, 0, 0, 1, 1, 2];
    const scores = Float64Array.of(0.9, 0.5, 0.7, 0.6, 0.4, 0.4, 0.1);
    expect(lowestKept(labels, scores, [0.5, 0.5, 0.5, 0.5])).toEqual([0.7, 0.4, 0.1, Infinity]);
    expect(lowestKept(labels, scores, [0, 1, 0.01])).toEqual([Infinity, 0.4, 0.1]);
    // 0.28 * 25 is a little more than 7 in float64.
    const many = Float64Array.from({ length: 25 }, (_, i) => i);
    expect(
      lowestKept(
        Array.from(many, () => 0),
        many,
        [0.28],
      ),
    ).toEqual([18]);
  });
});

describe('by expected error', () => {
  it('takes by falling chance as long as the mean holds', () => {
    // Means: 1, 0.95, 0.9, 0.825.
    const chances = Float64Array.of(0.6, 1, 0.8, 0.9);
    expect(lowestChance(chances, 0.95)).toBe(0.9);
    expect(lowestChance(chances, 0.9)).toBe(0.8);
    expect(lowestChance(chances, 0.5)).toBe(0.6);
    expect(lowestChance(Float64Array.of(0.7, 0.6), 0.95)).toBe(Infinity);
  });

  it('takes equal chances together or not at all', () => {
    expect(lowestChance(Float64Array.of(1, 0.9, 0.9, 0.9), 0.94)).toBe(1);
    expect(lowestChance(Float64Array.of(1, 0.9, 0.9, 0.9), 0.92)).toBe(0.9);
  });
});

describe('balance', () => {
  const labels = [0, 0, 0, 0, 0, 1, 1, 2];
  const weights = Float64Array.of(1, 1, 1, 0.5, 0, 1, 0, 1);
  const scores = Float64Array.of(0.5, 0.9, 0.8, 0.7, 1, 0.9, 0.9, 0.9);
  it('caps at the mean number a class, the best first', () => {
    // Six are used, of three classes.
    const { weights: capped, most } = balanced(labels, weights, scores, 3, 'cap');
    expect(most).toBe(2);
    expect([...capped]).toEqual([0, 1, 1, 0, 0, 1, 0, 1]);
  });
  it('lets scarce labels count several times, ten at most', () => {
    expect([...balanced(labels, weights, scores, 3, 'resample').weights]).toEqual([0, 1, 1, 0, 0, 2, 0, 2]);
    const many = Array.from({ length: 50 }, (_, i) => (i === 0 ? 1 : 0));
    const ones = new Float64Array(50).fill(1);
    expect(balanced(many, ones, ones, 2, 'resample').weights[0]).toBe(10);
  });
});
