import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { detectCollapse, type LabellingRound } from '../../src/labelling/collapse.ts';

const classes = ['a', 'b', 'c', 'd'];
const prior = [0.4, 0.3, 0.2, 0.1];
/** Predictions of the same 200 labelled images: `share` are right; `sure` is the probability of what is predicted. */
function held(share: number, sure: number, round: number): NonNullable<LabellingRound['held']> {
  const labels = Array.from({ length: 200 }, (_, i) => i % 4);
  const probabilities = Float32Array.from(
    labels.flatMap((label, i) => {
      // The same images are hard in every round, but for some noise.
      const hard = randomStream('hard', i).uniform() + 0.05 * randomStream('hard', i, round).normal();
      const given = hard < share ? label : (label + 1) % 4;
      return [0, 1, 2, 3].map((k) => (k === given ? sure : (1 - sure) / 3));
    }),
  );
  return { probabilities, labels };
}
const round = (predicted: number[], more: Partial<LabellingRound> = {}): LabellingRound => ({
  predicted,
  used: predicted.map((count) => Math.round(count / 2)),
  ...more,
});
const check = (...rounds: LabellingRound[]) => detectCollapse(rounds, prior, classes);

describe('no alarm', () => {
  it.each<[string, LabellingRound[]]>([
    ['counts as the prior says', [round([400, 300, 200, 100])]],
    ['counts that differ from it somewhat', [round([500, 200, 250, 50]), round([450, 330, 180, 40])]],
    [
      'rounds that get better',
      [0.6, 0.66, 0.72].map((share, r) => round([390, 310, 210, 90], { held: held(share, 0.9, r) })),
    ],
    [
      'rounds that stay',
      [0.7, 0.7, 0.7, 0.7].map((share, r) => round([390, 310, 210, 90], { held: held(share, 0.9, r) })),
    ],
    [
      'a rise',
      [round([400, 300, 200, 100], { used: [1, 0, 0, 0] }), round([400, 300, 200, 100], { used: [90, 80, 60, 9] })],
    ],
    [
      'mere over-confidence',
      [
        round([400, 300, 200, 100], { held: held(0.7, 0.7, 1) }),
        round([400, 300, 200, 100], { held: held(0.7, 0.999, 1) }),
      ],
    ],
  ])('%s', (_name, rounds) => {
    expect(check(...rounds).reasons).toEqual([]);
    expect(check(...rounds).alarm).toBe(false);
  });

  it('in nearly all pairs of rounds that are equally good', () => {
    const counts = [390, 310, 210, 90];
    const alarms = Array.from(
      { length: 20 },
      (_, i) => [held(0.7, 0.9, 2 * i), held(0.7, 0.9, 2 * i + 1)] as const,
    ).filter(([one, other]) => check(round(counts, { held: one }), round(counts, { held: other })).alarm);
    // Two tests at 2.5 % each: one alarm or less is expected.
    expect(alarms.length).toBeLessThanOrEqual(3);
  });

  it('a skewed prior is no collapse', () => {
    const skewed = [0.9, 0.06, 0.03, 0.01];
    expect(detectCollapse([round([920, 50, 20, 10])], skewed, classes).alarm).toBe(false);
  });
});

describe('an alarm', () => {
  it('where labels shrink to few classes', () => {
    const { alarm, reasons, effectiveClasses } = check(round([400, 300, 200, 100]), round([940, 20, 20, 20]));
    expect(alarm).toBe(true);
    const shares = [0.94, 0.02, 0.02, 0.02];
    expect(effectiveClasses).toBeCloseTo(Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0)), 10);
    expect(reasons[0]).toMatch(/spread over 1\.3 classes in effect; the class prior has 3\.6/);
  });

  it('where a class vanishes from what is predicted', () => {
    const { reasons } = check(round([450, 330, 215, 5]));
    expect(reasons).toEqual(['Class d vanishes: 5 images are taken for it, the prior expects 100.']);
  });

  it('where the labels of a class are used no more', () => {
    const { reasons } = check(
      round([400, 300, 200, 100], { used: [90, 80, 60, 20] }),
      round([400, 300, 200, 100], { used: [120, 90, 70, 0] }),
    );
    expect(reasons).toEqual(['Class d vanishes: 0 of its labels are used, in an earlier round 20.']);
  });

  it('where out-of-fold accuracy is surely lower than in the best earlier round, however slowly it fell', () => {
    const shares = [0.7, 0.74, 0.725, 0.71, 0.695, 0.68, 0.665, 0.65];
    const rounds = shares.map((share, r) => round([390, 310, 210, 90], { held: held(share, 0.9, r) }));
    const { reasons } = check(...rounds);
    expect(reasons[0]).toMatch(/accuracy is worse than in round 2 by -0\.\d\d\d \(95 % interval -0\.\d+ to -0\.\d+\)/);
  });

  it('where the surest answers become the wrong ones at equal accuracy', () => {
    const labels = Array.from({ length: 200 }, (_, i) => i % 4);
    // 140 right and 60 wrong in both; once the wrong ones are unsure, once they are as sure as the others.
    const answers = (sureWhenWrong: number) => ({
      labels,
      probabilities: Float32Array.from(
        labels.flatMap((label, i) => {
          const [given, sure] = i % 10 < 7 ? [label, 0.95] : [(label + 1) % 4, sureWhenWrong];
          return [0, 1, 2, 3].map((k) => (k === given ? sure : (1 - sure) / 3));
        }),
      ),
    });
    const counts = [390, 310, 210, 90];
    const { reasons } = check(round(counts, { held: answers(0.3) }), round(counts, { held: answers(0.95) }));
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatch(/log-likelihood is worse than in round 1/);
  });
});

it('refuses rounds that do not fit', () => {
  expect(() => check()).toThrow(/got none/);
  expect(() => check(round([1, 2, 3]))).toThrow(/Round 1: expected 4 counts/);
  const one = held(0.7, 0.9, 0);
  const other = { ...one, labels: one.labels.toReversed() };
  const counts = [400, 300, 200, 100];
  expect(() => check(round(counts, { held: one }), round(counts, { held: other }))).toThrow(/same held images/);
});
