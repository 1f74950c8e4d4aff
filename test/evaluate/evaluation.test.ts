import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluatePredictions } from '../../src/evaluate/evaluation.ts';
import { wilsonInterval } from '../../src/evaluate/interval.ts';
import type { Predictions } from '../../src/evaluate/predictions.ts';
import { fitTemperature } from '../../src/evaluate/temperature.ts';

interface Calibration {
  nll: number;
  brier: number;
  equalWidth: number;
  equalMass: number;
}
interface Case {
  classes: number;
  labels: number[];
  logits: number[];
  accuracy: number;
  interval: [number, number];
  balancedAccuracy: number;
  macroF1: number;
  topFive: number | null;
  precision: (number | null)[];
  recall: (number | null)[];
  f1: (number | null)[];
  support: number[];
  confusion: number[][];
  atOne: Calibration;
  temperature: number;
  atTemperature: Calibration;
}
const cases = JSON.parse(readFileSync(new URL('golden/metrics.json', import.meta.url), 'utf8')) as Case[];

const names = (count: number) => Array.from({ length: count }, (_, k) => `class ${k}`);
const predictionsOf = (c: Case): Predictions => ({
  classes: names(c.classes),
  logits: Float64Array.from(c.logits),
  labels: c.labels,
});

describe.each(cases.map((c) => [c.classes, c] as const))('scikit-learn is the witness: %i classes', (_, c) => {
  const result = evaluatePredictions(predictionsOf(c), { temperature: c.temperature });

  test('accuracy and its kin', () => {
    expect(result.n).toBe(c.labels.length);
    expect(result.accuracy).toBeCloseTo(c.accuracy, 12);
    expect(result.interval[0]).toBeCloseTo(c.interval[0], 10);
    expect(result.interval[1]).toBeCloseTo(c.interval[1], 10);
    expect(result.balancedAccuracy).toBeCloseTo(c.balancedAccuracy, 12);
    expect(result.macroF1).toBeCloseTo(c.macroF1, 12);
    expect(result.confusion).toEqual(c.confusion);
    if (c.topFive === null) expect(result).not.toHaveProperty('topFive');
    else expect(result.topFive).toBeCloseTo(c.topFive, 12);
  });

  test('each class', () => {
    const classes = Object.values(result.perClass);
    expect(Object.keys(result.perClass)).toEqual(names(c.classes));
    expect(classes.map(({ support }) => support)).toEqual(c.support);
    expect(classes.map(({ precision }) => precision ?? null)).toEqual(c.precision);
    expect(classes.map(({ recall }) => recall ?? null)).toEqual(c.recall);
    for (const [k, { f1 }] of classes.entries()) expect(f1 ?? 0).toBeCloseTo(c.f1[k] ?? 0, 12);
  });

  test('calibration, before and after', () => {
    for (const [measured, expected] of [
      [result.uncalibrated, c.atOne],
      [result, c.atTemperature],
    ] as const) {
      expect(measured.nll).toBeCloseTo(expected.nll, 10);
      expect(measured.brier).toBeCloseTo(expected.brier, 10);
      expect(measured.calibrationErrorEqualWidth).toBeCloseTo(expected.equalWidth, 10);
      expect(measured.calibrationError).toBeCloseTo(expected.equalMass, 10);
      expect(measured.reliability.reduce((sum, bin) => sum + bin.count, 0)).toBe(result.n);
    }
  });

  test('the temperature is that of a general minimiser', () => {
    const fit = fitTemperature(predictionsOf(c));
    expect(fit.temperature).toBeCloseTo(c.temperature, 5);
    expect(fit.nllBefore).toBeCloseTo(c.atOne.nll, 10);
    expect(fit.nllAfter).toBeCloseTo(c.atTemperature.nll, 10);
  });
});

test('a model that is right as often as it says has no calibration error', () => {
  // 10 rows of probability 0.8, 8 of them right.
  const z = Math.log(4);
  const predictions: Predictions = {
    classes: ['no', 'yes'],
    logits: Float64Array.from({ length: 20 }, (_, i) => (i % 2 === 1 ? z : 0)),
    labels: [1, 1, 1, 1, 0, 1, 1, 0, 1, 1],
  };
  const { calibrationError, calibrationErrorEqualWidth, reliability } = evaluatePredictions(predictions);
  expect(calibrationError).toBeCloseTo(0, 12);
  expect(calibrationErrorEqualWidth).toBeCloseTo(0, 12);
  // Equal confidences share one bin.
  expect(reliability).toHaveLength(1);
  expect(reliability[0]).toMatchObject({ count: 10, accuracy: 0.8 });
});

test('the order of the rows means nothing', () => {
  const c = cases[0]!;
  const k = c.classes;
  const reversed: Predictions = {
    classes: names(k),
    labels: c.labels.toReversed(),
    logits: Float64Array.from(
      c.labels.flatMap((_, i) => c.logits.slice((c.labels.length - 1 - i) * k, (c.labels.length - i) * k)),
    ),
  };
  const a = evaluatePredictions(predictionsOf(c), { mistakes: 0 });
  const b = evaluatePredictions(reversed, { mistakes: 0 });
  expect(b.calibrationError).toBeCloseTo(a.calibrationError, 12);
  expect(b.reliability.map(({ count }) => count)).toEqual(a.reliability.map(({ count }) => count));
  expect(b.confusion).toEqual(a.confusion);
});

test('equal logits: the first class is the answer, and a tie is no place among the first five', () => {
  const classes = names(12);
  const { accuracy, topFive } = evaluatePredictions({ classes, logits: new Float32Array(24), labels: [0, 5] });
  expect(accuracy).toBe(0.5);
  expect(topFive).toBe(0.5);
});

test('logits so large that softmax would overflow', () => {
  const { nll, uncalibrated } = evaluatePredictions({
    classes: ['a', 'b'],
    logits: Float64Array.of(1e4, -1e4, 1e4, -1e4),
    labels: [0, 1],
  });
  expect(nll).toBe(1e4);
  expect(uncalibrated.brier).toBe(1);
});

test('mistakes: the surest first, by file', () => {
  const { mistakes } = evaluatePredictions(
    {
      classes: ['cat', 'dog'],
      logits: Float64Array.of(3, 0, 0, 1, 2, 0, 0, 2, 5, 0),
      labels: [1, 0, 1, 0, 0],
      ids: ['c.png', 'd.png', 'b.png', 'a.png', 'right.png'],
    },
    { mistakes: 3 },
  );
  expect(mistakes.map(({ id, predicted }) => [id, predicted])).toEqual([
    ['c.png', 'cat'],
    ['a.png', 'dog'],
    ['b.png', 'cat'],
  ]);
  expect(mistakes[0]!.probability).toBeCloseTo(1 / (1 + Math.exp(-3)), 12);
  expect(mistakes[0]!.probabilityOfLabel).toBeCloseTo(1 / (1 + Math.exp(3)), 12);
});

test('everything survives JSON', () => {
  const result = evaluatePredictions(predictionsOf(cases[3]!));
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
});

describe('what can not be evaluated is named', () => {
  const classes = ['a', 'b'];
  test.each<[string, Predictions, RegExp]>([
    ['no rows', { classes, logits: new Float32Array(), labels: [] }, /nothing to evaluate/],
    ['sizes', { classes, logits: new Float32Array(3), labels: [0, 1] }, /2 labels and 2 classes need 4 logits, got 3/],
    ['labels', { classes, logits: new Float32Array(4), labels: [0, 2] }, /Row 1 has the label 2/],
    ['ids', { classes, logits: new Float32Array(4), labels: [0, 1], ids: ['x'] }, /as many ids, got 1/],
    ['NaN', { classes, logits: Float32Array.of(0, 0, 0, Number.NaN), labels: [0, 1] }, /Row 1 .* not finite \(NaN\)/],
  ])('%s', (_name, predictions, message) => {
    expect(() => evaluatePredictions(predictions)).toThrow(RangeError);
    expect(() => evaluatePredictions(predictions)).toThrow(message);
  });
});

describe('the interval of a share', () => {
  test('published values', () => {
    // Newcombe, 1998, table I, method 3: 81/263, 15/148, 0/20, 1/29.
    for (const [right, n, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const) {
      const [a, b] = wilsonInterval(right, n);
      expect(a).toBeCloseTo(low, 4);
      expect(b).toBeCloseTo(high, 4);
    }
  });
  test('holds the share and stays within 0..1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const right = Math.round(n * share);
        const [low, high] = wilsonInterval(right, n);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(right / n);
        expect(high).toBeGreaterThanOrEqual(right / n);
      }),
    );
  });
  test('refuses what is no share', () => {
    for (const [right, n] of [
      [1, 0],
      [3, 2],
      [-1, 2],
      [Number.NaN, 2],
    ])
      expect(() => wilsonInterval(right!, n!)).toThrow(RangeError);
  });
});
