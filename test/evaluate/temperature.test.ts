import { describe, expect, test } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { abstainThreshold } from '../../src/evaluate/abstain.ts';
import type { Predictions } from '../../src/evaluate/predictions.ts';
import { fitTemperature } from '../../src/evaluate/temperature.ts';

/** Rows drawn from the very probabilities that `logits / temperature` say. */
function drawn(temperature: number, n: number): Predictions {
  const stream = randomStream('temperature', temperature, n);
  const logits = Float64Array.from({ length: n * 3 }, () => 2 * stream.normal() * temperature);
  const labels = Array.from({ length: n }, (_, row) => {
    const weights = [0, 1, 2].map((k) => Math.exp(logits[row * 3 + k]! / temperature));
    let rest = stream.uniform() * weights.reduce((sum, w) => sum + w, 0);
    return weights.findIndex((weight) => (rest -= weight) < 0);
  });
  return { classes: ['a', 'b', 'c'], logits, labels };
}

describe('temperature', () => {
  test.each([0.5, 1, 3])('%f is found from rows that were drawn at it', (temperature) => {
    const fit = fitTemperature(drawn(temperature, 10_000));
    expect(fit.temperature / temperature).toBeGreaterThan(0.95);
    expect(fit.temperature / temperature).toBeLessThan(1.05);
    expect(fit.nllAfter).toBeLessThanOrEqual(fit.nllBefore);
  });

  test('stays 1 where every row is right, and within its limits where logits say nothing', () => {
    const right: Predictions = { classes: ['a', 'b'], logits: Float64Array.of(1, 0, 0, 1), labels: [0, 1] };
    expect(fitTemperature(right).temperature).toBe(1);
    const wrong: Predictions = { classes: ['a', 'b'], logits: Float64Array.of(1, 0, 0, 1), labels: [1, 0] };
    expect(fitTemperature(wrong).temperature).toBeCloseTo(10, 10);
  });
});

/** Two classes; rows of these probabilities for the answer, right or wrong. */
function rows(...answers: readonly (readonly [probability: number, right: boolean])[]): Predictions {
  return {
    classes: ['a', 'b'],
    logits: Float64Array.from(answers.flatMap(([p]) => [Math.log(p / (1 - p)), 0])),
    labels: answers.map(([, right]) => (right ? 0 : 1)),
  };
}

describe('the abstain threshold', () => {
  test('is the lowest probability at which the answers are precise enough', () => {
    // From the top: 1/1, 2/2, 2/3, 3/4, 4/5, 4/6.
    const answers = rows([0.95, true], [0.9, true], [0.85, false], [0.8, true], [0.75, true], [0.6, false]);
    const at = (wanted: number) => abstainThreshold(answers, wanted);
    expect(at(0.8)?.threshold).toBeCloseTo(0.75, 12);
    expect(at(0.8)).toMatchObject({ precision: 0.8, coverage: 5 / 6 });
    expect(at(0.9)?.threshold).toBeCloseTo(0.9, 12);
    expect(at(0.9)).toMatchObject({ precision: 1, coverage: 2 / 6 });
    // Good enough as a whole: everything is answered.
    expect(at(0.6)).toMatchObject({ coverage: 1 });
  });

  test('is undefined where it is never reached', () => {
    expect(abstainThreshold(rows([0.9, false], [0.8, true], [0.7, true]), 0.95)).toBeUndefined();
  });

  test('rows of equal probability are answered together or not at all', () => {
    expect(abstainThreshold(rows([0.9, true], [0.9, false], [0.8, false]), 0.95)).toBeUndefined();
    expect(abstainThreshold(rows([0.9, false], [0.9, true], [0.8, true]), 0.6)).toMatchObject({ coverage: 1 });
  });

  test('is in the probabilities of the model that is exported', () => {
    const answers = rows([0.9, true], [0.6, false]);
    const hot = abstainThreshold(answers, 0.95, 2)!;
    expect(hot.threshold).toBeCloseTo(1 / (1 + Math.sqrt(1 / 9)), 12);
  });

  test('needs a share', () => {
    for (const wanted of [0, 1.2, Number.NaN])
      expect(() => abstainThreshold(rows([0.9, true]), wanted)).toThrow(RangeError);
  });
});
