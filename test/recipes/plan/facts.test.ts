import { describe, expect, it } from 'vitest';
import { scratchLength, selfTrainLength, spreads, type Facts } from '../../../src/recipes/plan/facts.ts';

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
  const of = (left: number, asked?: 'probe' | 'finetune', labelled = 100) =>
    selfTrainLength({ left, budget: left, mustProve: false }, { ...FACTS, labelled, folds: 0 }, rates, asked);
  const images = (length: ReturnType<typeof of>) => length!.epochs * length!.epochImages;

  it('is a fine-tuned network where that takes nothing from a round that suits, else a probe', () => {
    // 7,000 images in 140 s, and 2,000 of the teacher in 40.
    expect(of(205)).toMatchObject({ firstTeacher: 'finetune' });
    expect(images(of(205))).toBeGreaterThanOrEqual(6900);
    expect(of(170)).toMatchObject({ firstTeacher: 'probe' });
    expect(of(205, 'probe')).toMatchObject({ firstTeacher: 'probe' });
    expect(of(205, undefined, 1000)).toMatchObject({ firstTeacher: 'probe' });
    for (const left of [205, 300, 900]) expect(of(left)!.seconds).toBeLessThanOrEqual(left);
  });

  it('is what was asked for, however short the round', () => {
    expect(of(170, 'finetune')).toMatchObject({ firstTeacher: 'finetune' });
    expect(images(of(170, 'finetune'))).toBeLessThan(images(of(170)));
    expect(of(60, 'finetune')).toBeUndefined();
  });

  it('is a probe where a fine-tuned one leaves no time to prove the round', () => {
    const proven = { ...FACTS, labelled: 100, folds: 3 };
    const at = (left: number) => selfTrainLength({ left, budget: left, mustProve: false }, proven, rates);
    const [short, long] = [at(500)!, at(1500)!];
    expect([short.firstTeacher, short.judgedFolds]).toEqual(['probe', 3]);
    expect([long.firstTeacher, long.judgedFolds]).toEqual(['finetune', 3]);
  });
});
