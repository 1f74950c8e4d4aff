import { describe, expect, it } from 'vitest';
import { biasCorrectedAccuracy } from '../../../src/evaluate/bias-corrected.ts';
import { estimateOf } from '../../../src/recipes/plan/plan-estimate.ts';
import type { Attempt } from '../../../src/recipes/plan/plan-site.ts';

const CLASSES = ['a', 'b'];
const LABELS = Array.from({ length: 40 }, (_, i) => i % 2);

function held(right: (i: number) => boolean) {
  const said = LABELS.map((label, i) => (right(i) ? label : 1 - label));
  return {
    classes: CLASSES,
    labels: LABELS,
    ids: LABELS.map((_, i) => `${i}`),
    logits: Float32Array.from(said.flatMap((label) => (label === 0 ? [1, 0] : [0, 1]))),
    foundOn: 'a test',
  };
}

const attempt = (stage: string, more: Partial<Attempt>): Attempt =>
  ({ stage, isKept: true, held: undefined, ...more }) as Attempt;
const expected = (mean: number, deviation: number) => ({
  judgement: { isKept: true, worse: 0.1, expected: { mean, deviation } },
});
const request = { labels: LABELS, classes: CLASSES, others: [], prior: undefined };
const probe = attempt('probe', { held: held((i) => i % 4 !== 0) });
const plain = biasCorrectedAccuracy([LABELS.map((_, i) => i % 4 !== 0)]);

describe('the estimate of a plan', () => {
  it('is that of the held-out answers where the model has some', () => {
    expect(estimateOf({ ...request, attempts: [probe] })).toMatchObject({ accuracy: 0.75, interval: plain.interval });
  });

  it('adds what is expected of each kept stage that has none, and widens', () => {
    const attempts = [
      probe,
      attempt('self-train', expected(0.05, 0.03)),
      attempt('distill', expected(-0.02, 0.04)),
      attempt('finetune', { ...expected(0.5, 0.1), isKept: false }),
    ];
    const { accuracy, interval, found } = estimateOf({ ...request, attempts })!;
    expect(accuracy).toBeCloseTo(0.78, 12);
    // Half-widths add in squares: 0.05² = 0.03² + 0.04².
    expect(accuracy - interval[0]).toBeCloseTo(Math.hypot(0.75 - plain.interval[0], 1.96 * 0.05), 12);
    expect(found).toMatch(/self-train and distill/);
  });

  it('weighs classes where the labels were drawn otherwise than the unlabelled images', () => {
    const skewed = attempt('probe', { held: held((i) => i % 2 === 0), prior: [0.9, 0.1] });
    const { accuracy, found } = estimateOf({ ...request, attempts: [skewed], prior: [0.9, 0.1] })!;
    expect(accuracy).toBeCloseTo(0.9, 12);
    expect(found).toMatch(/a 90 %, b 10 %/);
    expect(estimateOf({ ...request, attempts: [skewed], prior: [0.5, 0.5] })!.accuracy).toBeCloseTo(0.5, 12);
  });

  it('is none where nothing was held out', () => {
    expect(estimateOf({ ...request, attempts: [attempt('probe', {})] })).toBeUndefined();
  });
});
