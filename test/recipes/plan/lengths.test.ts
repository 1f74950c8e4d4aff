import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { fittedLength, roundsLength, spreadLength, stepsLength } from '../../../src/recipes/plan/lengths.ts';
import { DURATION, FILE_SIZE, LATENCY, parseQuantity } from '../../../src/recipes/plan/quantity.ts';

const seconds = fc.double({ min: 1e-4, max: 1, noNaN: true });
const time = fc
  .record({ budget: fc.integer({ min: 10, max: 7200 }), used: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ budget, used }) => ({ budget, left: budget * (1 - used), mustProve: false }));

describe('lengths of stages', () => {
  it('fit the time that is left, and proving takes a quarter of the budget at most', () => {
    fc.assert(
      fc.property(time, seconds, fc.integer({ min: 10, max: 2000 }), (at, secondsAnImage, images) => {
        const length = fittedLength(at, { images, wanted: 20, secondsAnImage, most: 3 });
        if (length === undefined) return;
        const { epochs, folds } = length;
        expect(length.seconds).toBeLessThanOrEqual(at.left + 1e-6);
        // k folds are each trained without a k-th of the images.
        const proving = Math.max(0, folds - 1) * epochs * images * secondsAnImage;
        expect(proving).toBeLessThanOrEqual(at.budget / 4);
        expect(epochs).toBeGreaterThanOrEqual(5);
        expect(epochs).toBeLessThanOrEqual(20);
      }),
    );
    fc.assert(
      fc.property(time, seconds, seconds, fc.integer({ min: 20, max: 20_000 }), (at, train, answer, unlabelled) => {
        const length = roundsLength(at, { unlabelled, train, answer, most: 3 });
        if (length === undefined) return;
        const { rounds, epochs, epochImages, judgedFolds } = length;
        expect(length.seconds).toBeLessThanOrEqual(at.left + 1e-6);
        expect(judgedFolds * ((epochs * epochImages) / 4) * (train + answer)).toBeLessThanOrEqual(at.budget / 4);
        expect(rounds * epochs * epochImages * train).toBeLessThanOrEqual(at.left);
        const trained = (rounds + judgedFolds / 4) * epochs * epochImages * train;
        expect(length.besides + trained).toBeCloseTo(length.seconds, 4);
      }),
    );
  });

  it('are none where too little fits, and longer where there is more time', () => {
    const rates = { unlabelled: 1000, train: 0.03, answer: 0.004, most: 3 };
    const rounds = [60, 120, 240, 600, 1200].map((budget) =>
      roundsLength({ budget, left: budget, mustProve: false }, rates),
    );
    expect(rounds[0]).toBeUndefined();
    const images = rounds.slice(1).map((length) => length!.rounds * length!.epochs * length!.epochImages);
    expect(images).toEqual(images.toSorted((a, b) => a - b));
    expect(rounds.at(-1)!.judgedFolds).toBe(3);
    expect(stepsLength({ budget: 60, left: 20, mustProve: false }, 0.25, 0)).toBeUndefined();
    expect(stepsLength({ budget: 180, left: 120, mustProve: false }, 0.25, 0)!.steps).toBe(470);
  });

  it('make the one round that fits longer where a second would not', () => {
    const rates = { unlabelled: 3000, train: 0.07, answer: 0.012, most: 0 };
    const at = (left: number) => roundsLength({ budget: left, left, mustProve: false }, rates)!;
    const images = (left: number): number => at(left).epochs * at(left).epochImages;
    expect([at(540).rounds, images(540)]).toEqual([1, 7000]);
    expect([at(800).rounds, at(1000).rounds]).toEqual([1, 1]);
    expect(images(800)).toBeGreaterThan(9000);
    expect(images(1000)).toBe(12_000);
    expect([at(1200).rounds, images(1200) < 9000]).toEqual([2, true]);
  });

  it('show no image of a small pool more often than it is of use, and none twice in an epoch', () => {
    const rates = { unlabelled: 60, train: 0.07, answer: 0.012, most: 3 };
    const length = roundsLength({ budget: 1200, left: 1200, mustProve: false }, rates)!;
    expect(length).toMatchObject({ rounds: 3, judgedFolds: 3, epochs: 40, epochImages: 60 });
    const of = { labelled: 10, unlabelled: 60, isSure: true };
    const spread = spreadLength({ budget: 1200, left: 1200, mustProve: false }, of, 0.01)!;
    expect(spread).toMatchObject({ rounds: 3, epochs: 100, epochImages: 60 });
    expect(spread.seconds - spread.besides).toBeCloseTo(3 * 6000 * 0.01, 6);
  });

  it('give labels that spread as many rounds as are not short', () => {
    const of = (left: number, mustProve = false, isSure = true) =>
      spreadLength({ budget: left, left, mustProve }, { labelled: 100, unlabelled: 7900, isSure }, 1e-3);
    expect(of(20)).toBeUndefined();
    expect(of(20, false, false)).toMatchObject({ rounds: 1 });
    expect(of(12, false, false)).toBeUndefined();
    expect(of(60)).toMatchObject({ rounds: 1, folds: 0 });
    expect(of(75)).toMatchObject({ rounds: 2, folds: 0 });
    expect(of(1000)).toMatchObject({ rounds: 3, epochs: 60 });
    expect(of(200, true)).toMatchObject({ folds: 2 });
    for (const left of [40, 60, 100, 150, 300]) expect(of(left)!.seconds).toBeLessThanOrEqual(left);
  });

  it('leave no fold out where the score comes from these', () => {
    const at = { budget: 100, left: 90, mustProve: true };
    expect(fittedLength(at, { images: 100, wanted: 20, secondsAnImage: 0.012, most: 3 })!.folds).toBe(3);
    expect(
      fittedLength({ ...at, mustProve: false }, { images: 100, wanted: 20, secondsAnImage: 0.03, most: 3 })!.folds,
    ).toBe(0);
    expect(fittedLength(at, { images: 100, wanted: 20, secondsAnImage: 0.1, most: 3 })).toBeUndefined();
  });
});

describe('quantities', () => {
  it.each([
    ['90s', DURATION, 90],
    ['10m', DURATION, 600],
    ['1.5h', DURATION, 5400],
    [45, DURATION, 45],
    ['5MB', FILE_SIZE, 5e6],
    ['5 mb', FILE_SIZE, 5e6],
    ['20ms', LATENCY, 20],
  ])('%s', (text, units, value) => expect(parseQuantity(text, units, '--x')).toBe(value));

  it.each(['', '0m', '-5m', '10 minutes', 'm', '10d', '1e3s'])('refuse "%s"', (text) => {
    expect(() => parseQuantity(text, DURATION, '--budget')).toThrow(/--budget .*: expected a number above 0/);
  });
});
