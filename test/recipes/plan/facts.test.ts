import { describe, expect, it } from 'vitest';
import { isTriedFirst, scratchLength, selfTrainLength, spreads, type Facts } from '../../../src/recipes/plan/facts.ts';

const FACTS: Facts = {
  labelled: 30,
  unlabelled: 1500,
  scored: 100,
  folds: 3,
  crossValidated: false,
  epochs: { finetune: 20, scratch: 40 },
  batchSize: 32,
  withoutUnlabelled: undefined,
};

describe('labels that spread', () => {
  it('are learnt from surely, perhaps, or not', () => {
    expect(spreads({ ...FACTS, spreadRight: 0.8 })).toBe('surely');
    expect(spreads({ ...FACTS, spreadRight: 0.79 })).toBe('perhaps');
    expect(spreads({ ...FACTS, spreadRight: 0.5 })).toBe('perhaps');
    expect(spreads({ ...FACTS, spreadRight: 0.49 })).toBe('not');
    expect(spreads(FACTS)).toBe('not');
    expect(spreads({ ...FACTS, spreadRight: 0.6 }, 0.59)).toBe('perhaps');
    expect(spreads({ ...FACTS, spreadRight: 0.6 }, 0.6)).toBe('not');
    expect(spreads({ ...FACTS, spreadRight: 0.8 }, 0.9)).toBe('surely');
    expect(spreads({ ...FACTS, spreadRight: 1, withoutUnlabelled: 'There is none.' })).toBe('not');
  });

  it('have labels alone held out where it is in doubt which of the two is right more often', () => {
    // A third of 90 s: 40 epochs of 30 images fit without folds, 30 with two.
    const time = { left: 90, budget: 100, mustProve: false };
    const of = (spreadRight: number) => scratchLength(time, { ...FACTS, spreadRight }, 0.0125)!;
    expect(of(0.6)).toMatchObject({ folds: 2 });
    expect(of(0.6).epochs).toBeLessThan(40);
    expect(of(0.3)).toMatchObject({ folds: 0, epochs: 40 });
    // Where they surely spread, labels alone take a sixth.
    expect(of(0.9)).toMatchObject({ folds: 0 });
    expect(of(0.9).seconds).toBeLessThanOrEqual(15);
  });
});

describe('the first teacher of self-training', () => {
  const rates = { train: 0.02, answer: 0.004 };
  const facts = { ...FACTS, labelled: 100, folds: 0 };
  const time = (left: number) => ({ left, budget: left, mustProve: false });

  it('takes the time of its training where it is a fine-tuned network', () => {
    const of = (left: number, teacher?: 'finetune') => selfTrainLength(time(left), facts, rates, teacher)!;
    const images = ({ epochs, epochImages }: ReturnType<typeof of>): number => epochs * epochImages;
    // 2,000 images in 40 s.
    expect(images(of(170)) - images(of(170, 'finetune'))).toBeGreaterThan(1500);
    for (const left of [170, 300, 900]) expect(of(left, 'finetune').seconds).toBeLessThanOrEqual(left);
    expect(of(60, 'finetune')).toBeUndefined();
  });

  it('is tried by fine-tuning where that can be compared and takes at most a quarter of the time', () => {
    expect(isTriedFirst(time(200), facts, 0.02, true)).toBe(true);
    expect(isTriedFirst(time(160), facts, 0.02, true)).toBe(false);
    expect(isTriedFirst(time(300), facts, 0.02, false)).toBe(false);
    // Three folds take as long as three trainings.
    expect(isTriedFirst(time(300), { ...facts, folds: 3 }, 0.02, false)).toBe(false);
    expect(isTriedFirst(time(600), { ...facts, folds: 3 }, 0.02, false)).toBe(true);
  });
});
