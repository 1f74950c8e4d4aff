import { describe, expect, it } from 'vitest';
import { judgeViews, safeLevels, type ViewOutcome } from '../../src/augment/safety.ts';
import { wilsonInterval } from '../../src/evaluate/interval.ts';

const classes = ['6', '9', 'o'];
/** 20 of each class. */
const labels = Array.from({ length: 60 }, (_, i) => i % 3);

function judge(predicted: readonly number[], view: Partial<ViewOutcome> = {}, plain: readonly number[] = labels) {
  const outcome = { operation: 'rotate', level: 1, isRisky: false, predicted, ...view };
  return judgeViews(classes, labels, plain, [outcome], wilsonInterval)[0]!;
}

describe('judgeViews', () => {
  it('finds a class that turns into another one', () => {
    // Every second 6 reads as a 9 and the other way around; the o stays.
    const view = judge(labels.map((label, i) => (label < 2 && i % 4 < 2 ? 1 - label : label)));
    expect(view.verdict).toBe('changes labels');
    expect(view.classes.map(({ changes }) => changes)).toEqual([true, true, false]);
    expect(view.classes[0]!.takenFor).toEqual({ className: '9', share: 0.5 });
    expect(view.lost).toBeCloseTo(1 / 3, 9);
  });

  it('calls hard what is lost to one class whatever it was', () => {
    const view = judge(labels.map((label, i) => (i % 4 < 3 ? 2 : label)));
    expect(view.verdict).toBe('hard to recognise');
    expect(view.classes.some(({ changes }) => changes)).toBe(false);
  });

  it('calls safe what is nearly always recognised, and does not take chance for a change', () => {
    expect(judge(labels.map((label, i) => (i < 3 ? (label + 1) % 3 : label))).verdict).toBe('safe');
    expect(judge(labels.map((label, i) => (i % 7 === 0 ? (label + 1) % 3 : label))).verdict).toBe('safe');
  });

  it('looks at images that are recognised as they are, and only at them', () => {
    const plain = labels.map((label, i) => (i < 30 ? (label + 1) % 3 : label));
    const view = judge(
      labels.map((label, i) => (i < 30 ? (label + 2) % 3 : label)),
      {},
      plain,
    );
    expect([view.lost, view.verdict]).toEqual([0, 'safe']);
    expect(view.classes.map(({ recognised }) => recognised)).toEqual([10, 10, 10]);
  });

  it('does not take for safe what can change labels where few images show it', () => {
    const plain = labels.map((label, i) => (i < 55 ? (label + 1) % 3 : label));
    const predicted = labels.map((label, i) => (i === 59 ? (label + 1) % 3 : label));
    expect(judge(predicted, { isRisky: true }, plain).verdict).toBe('not known');
    expect(judge(predicted, { isRisky: false }, plain).verdict).toBe('safe');
    expect(judge(labels, { isRisky: true }).verdict).toBe('safe');
  });
});

describe('safeLevels', () => {
  it('is the highest level that is safe', () => {
    const at = (operation: string, level: number | undefined, wrong: number) =>
      judge(
        labels.map((label, i) => (i < wrong ? (label + 1 + (i % 2)) % 3 : label)),
        { operation, level },
      );
    const levels = safeLevels([at('a', 1, 40), at('a', 2 / 3, 0), at('b', undefined, 0), at('c', 1, 40)]);
    expect([...levels]).toEqual([
      ['a', 2 / 3],
      ['b', 1],
      ['c', 0],
    ]);
  });
});
