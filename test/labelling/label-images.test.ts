import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { labelImages, type LabellingInput, type LabellingOptions } from '../../src/labelling/label-images.ts';
import type { ThresholdOptions } from '../../src/labelling/options.ts';
import { mostLikely } from '../../src/labelling/probabilities.ts';
import { simulatedPool } from './simulated-pool.ts';

const { classes, probabilities, held, truth } = simulatedPool(3, { images: 120, classes: 4, perClass: 8 });
const input: LabellingInput = { classes, probabilities, held };

const thresholds: ThresholdOptions[] = [
  { kind: 'none' },
  { kind: 'fixed', value: 0.9 },
  { kind: 'per-class', values: [0.9, 0.8, 0.5, 0.99] },
  { kind: 'free' },
  { kind: 'soft' },
  { kind: 'flex', value: 0.95 },
  { kind: 'rank', share: 0.4 },
  { kind: 'expected-error', right: 0.85 },
];
const anyOptions = fc.record(
  {
    labels: fc.constantFrom<LabellingOptions['labels']>('hard', 'soft', 'sharpened'),
    threshold: fc.constantFrom(...thresholds),
    balance: fc.constantFrom<NonNullable<LabellingOptions['balance']>>('none', 'cap', 'resample'),
    adjust: fc.constantFrom<NonNullable<LabellingOptions['adjust']>>('none', 'align', 'logit', 'crest'),
  },
  { requiredKeys: ['labels', 'threshold'] },
);

describe('whatever the options', () => {
  it('weights are in range, targets sum to 1, and the summary counts what is there', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const { labels, prior, summary } = labelImages(input, options);
        expect(labels).toHaveLength(120);
        expect(prior.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
        for (const { weight, used, target, label, probability, chance, reason } of labels) {
          expect(weight).toBeGreaterThanOrEqual(0);
          expect(weight).toBeLessThanOrEqual(options.balance === 'resample' ? 10 : 1);
          expect(used).toBe(weight > 0);
          expect(target.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
          expect(target.indexOf(Math.max(...target))).toBe(label);
          expect(probability).toBeGreaterThanOrEqual(1 / 4);
          expect(chance).toBeGreaterThanOrEqual(0);
          expect(chance).toBeLessThanOrEqual(1);
          expect(reason).not.toBe('');
        }
        const rows = Object.values(summary.perClass);
        expect(summary.used).toBe(labels.filter(({ used }) => used).length);
        expect(rows.reduce((sum, { used }) => sum + used, 0)).toBe(summary.used);
        expect(rows.reduce((sum, { predicted }) => sum + predicted, 0)).toBe(120);
      }),
      { numRuns: 25 },
    );
  });

  it('classes in another order give the same labels in that order', () => {
    const order = [2, 0, 3, 1];
    const permuted = (p: Float32Array): Float32Array => p.map((_, at) => p[at - (at % 4) + order[at % 4]!]!);
    fc.assert(
      fc.property(anyOptions, (options) => {
        const { threshold } = options;
        const one = labelImages(input, options);
        const other = labelImages(
          {
            classes: order.map((k) => classes[k]!),
            probabilities: permuted(probabilities),
            held: { probabilities: permuted(held.probabilities), labels: held.labels.map((k) => order.indexOf(k)) },
          },
          threshold.kind === 'per-class'
            ? { ...options, threshold: { ...threshold, values: order.map((k) => threshold.values[k]!) } }
            : options,
        );
        for (const [i, label] of other.labels.entries()) {
          const expected = one.labels[i]!;
          expect(order[label.label]).toBe(expected.label);
          expect(label.weight).toBeCloseTo(expected.weight, 6);
          expect(label.chance).toBeCloseTo(expected.chance!, 6);
          for (const [at, k] of order.entries()) expect(label.target[at]).toBeCloseTo(expected.target[k]!, 5);
        }
        for (const [at, k] of order.entries()) expect(other.prior[at]).toBeCloseTo(one.prior[k]!, 6);
      }),
      { numRuns: 12 },
    );
  });
});

describe('options do what they say', () => {
  const run = (options: Partial<LabellingOptions>) =>
    labelImages(input, { labels: 'hard', threshold: { kind: 'none' }, ...options });
  const likely = mostLikely(probabilities, 4);

  it('targets: one class, as they are, or sharpened by the temperature', () => {
    const row = probabilities.subarray(0, 4);
    const { label } = run({}).labels[0]!;
    expect([...run({}).labels[0]!.target]).toEqual([0, 1, 2, 3].map((k) => Number(k === label)));
    for (const [k, p] of row.entries()) {
      expect(run({ labels: 'soft' }).labels[0]!.target[k]).toBeCloseTo(p, 6);
      for (const temperature of [undefined, 0.25, 2]) {
        const power = (x: number) => x ** (1 / (temperature ?? 0.5));
        const expected = power(p) / row.reduce((sum, x) => sum + power(x), 0);
        const { target } = run({ labels: 'sharpened', ...(temperature && { temperature }) }).labels[0]!;
        expect(target[k]).toBeCloseTo(expected, 5);
      }
    }
  });

  it('thresholds: fixed ones from their value on, and by class', () => {
    const fixed = run({ threshold: { kind: 'fixed', value: 0.9 } }).labels;
    for (const [i, { used }] of fixed.entries()) expect(used).toBe(likely.confidences[i]! >= 0.9);
    const values = [0.9, 0.8, 0.5, 0.99];
    const own = run({ threshold: { kind: 'per-class', values } });
    for (const [i, { used }] of own.labels.entries())
      expect(used).toBe(likely.confidences[i]! >= values[likely.labels[i]!]!);
    expect(Object.values(own.summary.perClass).map(({ threshold }) => threshold)).toEqual(values);
  });

  it('the other rules keep something, and not all', () => {
    for (const threshold of thresholds.slice(3)) {
      const weights = run({ threshold }).labels.map(({ weight }) => weight);
      expect(weights.some((weight) => weight === 1)).toBe(true);
      expect(weights.some((weight) => weight < 1)).toBe(true);
    }
  });

  it('balance: no class has more than the mean, or they weigh alike', () => {
    const threshold = { kind: 'fixed', value: 0.7 } as const;
    const free = Object.values(run({ threshold }).summary.perClass);
    const most = Math.ceil(free.reduce((sum, { used }) => sum + used, 0) / 4);
    expect(Math.max(...free.map(({ used }) => used))).toBeGreaterThan(most);
    const capped = Object.values(run({ threshold, balance: 'cap' }).summary.perClass);
    expect(capped.map(({ used }) => used)).toEqual(free.map(({ used }) => Math.min(used, most)));
    const resampled = Object.values(run({ threshold, balance: 'resample' }).summary.perClass);
    for (const [k, { weight, used }] of resampled.entries()) {
      expect(weight).toBeCloseTo(Math.min(most, 10 * used), 6);
      expect(used).toBe(Math.min(free[k]!.used, most));
    }
  });

  it('adjust: predictions move towards the estimated prior; crest uses frequent classes less', () => {
    const shares = (options: Partial<LabellingOptions>) => {
      const { labels, prior } = run({ labels: 'soft', ...options });
      const mean = prior.map((_, k) => labels.reduce((sum, { target }) => sum + target[k]! / labels.length, 0));
      return mean.reduce((sum, share, k) => sum + Math.abs(share - prior[k]!), 0);
    };
    expect(shares({ adjust: 'align' })).toBeLessThan(shares({}));
    const { summary, prior } = run({ adjust: 'crest' });
    const rows = Object.values(summary.perClass);
    const rate = (k: number): number => rows[k]!.used / rows[k]!.predicted;
    const order = [0, 1, 2, 3].toSorted((a, b) => prior[a]! - prior[b]!);
    expect(rate(order[0]!)).toBe(1);
    expect(rate(order[3]!)).toBeLessThan(0.9);
  });

  it('logit exchanges the prior that the teacher learnt, its mean on held images, for the estimated one', () => {
    const { labels, prior } = run({ labels: 'soft', adjust: 'logit' });
    const source = prior.map((_, k) =>
      held.probabilities.reduce((sum, p, at) => (at % 4 === k ? sum + p / 32 : sum), 0),
    );
    const raw = prior.map((share, k) => (probabilities[k]! * share) / source[k]!);
    const sum = raw.reduce((total, value) => total + value, 0);
    for (const [k, value] of raw.entries()) expect(labels[0]!.target[k]).toBeCloseTo(value / sum, 5);
  });

  it('expected right is about what is right', () => {
    const { labels, summary } = run({ threshold: { kind: 'expected-error', right: 0.9 } });
    const used = [...labels.entries()].filter(([, label]) => label.used);
    const right = used.filter(([i, { label }]) => label === truth[i]).length / used.length;
    expect(summary.expectedRight).toBeGreaterThanOrEqual(0.9);
    expect(Math.abs(summary.expectedRight! - right)).toBeLessThan(0.1);
    expect(summary.score).toBe('chance of being right');
  });

  it('says why a label is not used', () => {
    const reasons = (options: Partial<LabellingOptions>) =>
      run(options).labels.flatMap(({ used, reason }) => (used ? [] : [reason]));
    expect(reasons({ threshold: { kind: 'fixed', value: 0.9 } })[0]).toMatch(/^probability 0\.\d{3} is below 0\.900$/);
    expect(reasons({ balance: 'cap' })[0]).toMatch(/only the best 30 are used/);
    expect(reasons({ adjust: 'crest' })[0]).toMatch(/of class \d, only the best 0\.\d\d are used/);
    expect(reasons({ threshold: { kind: 'expected-error', right: 1 } })[0]).toMatch(/no label passes/);
  });
});

describe('without out-of-fold predictions', () => {
  const { held: _, ...bare } = input;
  it('there is no chance, and the prior is the mean prediction', () => {
    const { labels, prior, summary } = labelImages(bare, { labels: 'hard', threshold: { kind: 'free' } });
    expect(labels[0]!.chance).toBeUndefined();
    expect(summary.expectedRight).toBeUndefined();
    expect(prior[0]).toBeCloseTo(
      probabilities.reduce((sum, p, at) => (at % 4 === 0 ? sum + p / 120 : sum), 0),
      10,
    );
  });
  it.each<[string, Partial<LabellingOptions>]>([
    ['expected-error', { threshold: { kind: 'expected-error', right: 0.95 } }],
    ['adjust align', { adjust: 'align' }],
    ['adjust logit', { adjust: 'logit' }],
    ['adjust crest', { adjust: 'crest' }],
  ])('%s is refused', (name, options) => {
    const run = () => labelImages(bare, { labels: 'hard', threshold: { kind: 'none' }, ...options });
    expect(run).toThrow(InputError);
    expect(run).toThrow(new RegExp(`${name}: expected out-of-fold`));
  });
});

describe('what is out of range is named', () => {
  it.each<[string, object, RegExp]>([
    ['labels', { labels: 'firm' }, /labels: expected hard, soft, sharpened; got "firm"/],
    ['a temperature of 0', { labels: 'sharpened', temperature: 0 }, /above 0, got 0/],
    ['a temperature of hard labels', { temperature: 0.5 }, /only sharpened labels have one; labels are hard/],
    ['a threshold', { threshold: { kind: 'fixed', value: 95 } }, /threshold fixed: expected 0 to 1, got 95/],
    ['its kind', { threshold: { kind: 'free-match' } }, /no kind "free-match"/],
    ['too few thresholds', { threshold: { kind: 'per-class', values: [0.5] } }, /expected 4 values, got 1/],
    ['one of them', { threshold: { kind: 'per-class', values: [1, 1, 1, Number.NaN] } }, /got NaN/],
    ['a share', { threshold: { kind: 'rank', share: -0.1 } }, /rank: expected 0 to 1/],
    ['right', { threshold: { kind: 'expected-error', right: 2 } }, /expected-error: expected 0 to 1/],
    ['balance', { balance: 'even' }, /balance: expected none, cap, resample/],
    ['adjust', { adjust: 'menon' }, /adjust: expected none, align, logit, crest/],
  ])('%s', (_name, options, message) => {
    const run = () =>
      labelImages(input, { labels: 'hard', threshold: { kind: 'none' }, ...options } as LabellingOptions);
    expect(run).toThrow(InputError);
    expect(run).toThrow(message);
  });

  it.each<[string, Partial<LabellingInput>, RegExp]>([
    ['a size', { probabilities: new Float32Array(5) }, /\[N, 4\] probabilities, got 5/],
    ['no row', { probabilities: new Float32Array(0) }, /nothing to label/],
    ['a sum', { probabilities: Float32Array.of(0.5, 0.1, 0.1, 0.1) }, /row 0 has the sum 0.8/],
    ['a number', { probabilities: Float32Array.of(1, 0, 0, 0, Number.NaN, 0, 0, 1) }, /row 1 has the probability NaN/],
    ['labels', { held: { probabilities: held.probabilities, labels: [4, ...held.labels.slice(1)] } }, /the label 4/],
    ['their number', { held: { probabilities: held.probabilities, labels: [0] } }, /got 1 and 32/],
    ['agreement', { agreement: new Float32Array(3) }, /expected 120 values, got 3/],
    ['its range', { agreement: new Float32Array(120).fill(1.5) }, /row 0 has 1.5/],
  ])('%s', (_name, given, message) => {
    const run = () => labelImages({ ...input, ...given }, { labels: 'hard', threshold: { kind: 'none' } });
    expect(run).toThrow(RangeError);
    expect(run).toThrow(message);
  });
});
