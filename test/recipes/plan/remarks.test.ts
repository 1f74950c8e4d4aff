import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.ts';
import { confusedPairs, isAtChance } from '../../../src/recipes/plan/remarks.ts';

const CLASSES = ['a', 'b', 'c'];

/** n images of each class; `predict` says what they are taken for. */
function held(n: number, predict: (label: number, i: number) => number) {
  const labels = CLASSES.flatMap((_, k) => Array.from({ length: n }, () => k));
  const logits = Float32Array.from(
    labels.flatMap((label, i) => CLASSES.map((_, k) => (predict(label, i) === k ? 1 : 0))),
  );
  return { classes: CLASSES, labels, logits, ids: labels.map((_, i) => `${i}`), foundOn: 'a test' };
}

describe('remarks of a plan', () => {
  it('tell a probe at chance from one that knows something, and nothing of a few images', () => {
    const drawn = (seed: number) => {
      const stream = randomStream('chance', seed);
      return isAtChance(held(30, () => stream.integer(3)));
    };
    expect(Array.from({ length: 40 }, (_, seed) => drawn(seed)).filter(Boolean).length).toBeGreaterThan(35);
    expect(isAtChance(held(30, (label, i) => (i % 2 === 0 ? label : 0)))).toBe(false);
    expect(isAtChance(held(2, () => 0))).toBe(false);
  });

  it('name two classes that are not told apart, and no others', () => {
    const pairs = confusedPairs(held(10, (label, i) => (label === 2 ? 2 : i % 2)));
    expect(pairs).toHaveLength(1);
    expect(pairs[0]).toMatch(/"a" and "b" can't be told apart: of 20 held-out images of the two, 10 are/);
    expect(confusedPairs(held(10, (label, i) => (i % 10 < 8 ? label : (label + 1) % 3)))).toEqual([]);
    expect(confusedPairs(held(2, (label, i) => (label === 2 ? 2 : i % 2)))).toEqual([]);
  });
});
