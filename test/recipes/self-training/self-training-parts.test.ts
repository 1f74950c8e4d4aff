import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.ts';
import { heldAnswers, withoutRows } from '../../../src/recipes/self-training/held-answers.ts';
import { machineLabels } from '../../../src/recipes/self-training/machine-labels.ts';
import type { LabelledSample } from '../../../src/recipes/prepare-data.ts';
import { scoreOf, verdictOn } from '../../../src/recipes/self-training/round-score.ts';
import { resolveSelfTrainOptions } from '../../../src/recipes/self-training/self-train-options.ts';
import { learntFrom, studentPlan } from '../../../src/recipes/self-training/student.ts';

const classes = ['cat', 'dog', '=emu'];
const sample = (i: number, label = i % 3): LabelledSample =>
  ({ id: `${i}.jpg`, file: `/${i}.jpg`, contentKey: `${i}`, label, split: 'train' }) as unknown as LabelledSample;

/** Answers to `count` images, right with a probability of about `share`. */
function answers(count: number, share: number, key: string) {
  const stream = randomStream('answers', key);
  const samples = Array.from({ length: count }, (_, i) => sample(i));
  const probabilities = new Float32Array(count * 3);
  for (const [i, { label }] of samples.entries()) {
    const said = stream.uniform() < share ? label : (label + 1 + stream.integer(2)) % 3;
    for (let k = 0; k < 3; k++) probabilities[i * 3 + k] = k === said ? 0.8 : 0.1;
  }
  return heldAnswers(classes, samples, { probabilities, agreement: new Float32Array(count).fill(1) }, 'the test');
}

describe('verdictOn', () => {
  const [worse, better] = [answers(200, 0.5, 'worse'), answers(200, 0.9, 'better')];

  it('keeps what is better, and goes on after a rise beyond the noise', () => {
    const verdict = verdictOn(better, worse, false);
    expect(verdict).toMatchObject({ isKept: true, goesOn: true });
    expect(verdict.rise!.interval[0]).toBeGreaterThan(0);
    expect(scoreOf(better).accuracy).toBeGreaterThan(scoreOf(worse).accuracy);
  });

  it('drops what is worse, and stops', () => {
    expect(verdictOn(worse, better, false)).toMatchObject({ isKept: false, goesOn: false });
    expect(verdictOn(worse, better, true)).toMatchObject({ isKept: false, goesOn: false });
  });

  it('stops where a rise is within the noise, and bears a fall within it of a shorter training alone', () => {
    const [one, other] = [answers(60, 0.7, 'one'), answers(60, 0.7, 'other')].toSorted((a, b) => scoreOf(a).nll - scoreOf(b).nll) as [typeof worse, typeof worse]; // prettier-ignore
    expect(verdictOn(one, other, false)).toMatchObject({ isKept: true, goesOn: false });
    expect(verdictOn(other, one, false)).toMatchObject({ isKept: false, goesOn: false });
    expect(verdictOn(other, one, true)).toMatchObject({ isKept: true, goesOn: true });
  });

  it('takes no student for worse that is right as often as a teacher that is never wrong, if less sure', () => {
    const [sure, lessSure] = [0.98, 0.8].map((p) => {
      const samples = Array.from({ length: 30 }, (_, i) => sample(i));
      const probabilities = Float32Array.from({ length: 90 }, (_, i) =>
        i % 3 === Math.floor(i / 3) % 3 ? p : (1 - p) / 2,
      );
      return heldAnswers(classes, samples, { probabilities, agreement: new Float32Array(30).fill(1) }, 'the test');
    });
    expect(verdictOn(lessSure, sure, true)).toMatchObject({ isKept: true, goesOn: true });
    expect(verdictOn(lessSure, sure, false)).toMatchObject({ isKept: false, goesOn: false });
  });

  it('goes on without anything held out', () => {
    expect(verdictOn(undefined, worse, false)).toEqual({ isKept: true, goesOn: true });
  });
});

describe('machineLabels', () => {
  const probabilities = Float32Array.of(0.6, 0.3, 0.1, 0.2, 0.7, 0.1, 0.3, 0.3, 0.4, 0.5, 0.3, 0.2);
  const agreement = new Float32Array(4).fill(1);

  it('takes the surest of each class, and says so, where a threshold lets nothing through', () => {
    const made = machineLabels({ probabilities, agreement }, classes, undefined, {
      labels: 'soft',
      threshold: { kind: 'fixed', value: 0.9 },
    });
    expect(made.warning).toMatch(/none of 4 machine labels .*0\.700/);
    expect(made.labels.map(({ used }) => used)).toEqual([true, true, true, false]);
  });

  it('brings an overconfident labeller down to what it is worth', () => {
    const held = answers(300, 0.5, 'overconfident');
    const sure = Float32Array.of(0.8, 0.1, 0.1);
    const { labels } = machineLabels({ probabilities: sure, agreement: Float32Array.of(1) }, classes, held, {
      labels: 'soft',
      threshold: { kind: 'none' },
    });
    expect(labels[0]!.target[0]).toBeGreaterThan(0.42);
    expect(labels[0]!.target[0]).toBeLessThan(0.58);
  });
});

it('withoutRows leaves nothing of the classes of the images that a fold holds out', () => {
  const held = answers(9, 0.7, 'rows');
  const left = withoutRows(held, [sample(1), sample(4)]);
  expect(left.ids).toEqual(held.ids.filter((id) => id !== '1.jpg' && id !== '4.jpg'));
  expect(left.labels).toEqual([0, 2, 0, 2, 0, 1, 2]);
  expect([...left.logits.subarray(3, 6)]).toEqual([...held.logits.subarray(6, 9)]);
  expect(left.agreement).toHaveLength(7);
});

describe('studentPlan', () => {
  const resolve = (options: object) => resolveSelfTrainOptions({ data: 'photos', backbone: 'b.onnx', ...options });
  const pool = { labelled: 100, unlabelled: 2900 };

  it('keeps the share of labelled images, in epochs of a bounded length', () => {
    const options = resolve({ labelledShare: 0.2, epochImages: 1000, epochs: 3 });
    const { plan, labelledDraws, draws, images } = studentPlan(options, options.train, pool);
    expect([plan.epochs, labelledDraws, draws, images]).toEqual([3, 200, 800, 3000]);
    // All of a few are less than an epoch may have.
    expect(studentPlan(options, options.train, { labelled: 100, unlabelled: 80 })).toMatchObject({
      labelledDraws: 20,
      draws: 80,
    });
  });

  it('adds RandAugment to the usual policy, unless another is given, and trains less in folds', () => {
    const options = resolve({});
    const usual = studentPlan(options, options.train, pool);
    expect(usual.plan.augment.text).toMatch(/^randomresizedcrop.*\|flip\|randaugment/);
    const fold = studentPlan(options, options.train, pool, true);
    expect(fold.images).toBeLessThanOrEqual(usual.images / 2);
    const own = resolve({ augment: 'randomresizedcrop|cutmix(1)' });
    expect(studentPlan(own, own.train, pool).plan.augment.text).toBe('randomresizedcrop|cutmix');
  });
});

describe('learntFrom', () => {
  const label = (target: readonly number[], used = true) =>
    ({ target: Float32Array.from(target), used, weight: used ? 0.5 : 0 }) as never;
  const [unlabelled, labelled] = [[sample(7), sample(8)], [sample(1)]];
  const labels = [label([0.7, 0.2, 0.1]), label([0, 0.1, 0.9], false)];

  it('is the used labels of a machine, with their weights', () => {
    const { machineLabelled, teaching } = learntFrom({ unlabelled, labels, labelled, classes });
    expect(machineLabelled).toEqual([{ ...unlabelled[0], target: Float32Array.from([0.7, 0.2, 0.1]), weight: 0.5 }]);
    expect(teaching).toBeUndefined();
  });

  it('is all that a teacher says where it is distilled, p^(1/T) of every image, labelled or not', () => {
    const distilled = { temperature: 2, ofLabelled: [label([0.1, 0.5, 0.4])] };
    const { teaching, unlabeled, machineLabelled } = learntFrom({ unlabelled, labels, labelled, distilled, classes });
    expect([unlabeled, machineLabelled]).toEqual([unlabelled, undefined]);
    expect(teaching!.loss).toMatchObject({ answers: 'kd', temperature: 2, taught: { width: 3 } });
    const said = { '7.jpg': [0.7, 0.2, 0.1], '8.jpg': [0, 0.1, 0.9], '1.jpg': [0.1, 0.5, 0.4] };
    for (const [id, p] of Object.entries(said)) {
      const found = Array.from(teaching!.said!.get(id)!, (z) => Math.exp(z / 2));
      const sum = found.reduce((a, b) => a + b);
      const roots = p.map(Math.sqrt);
      for (const [k, value] of found.entries())
        expect(value / sum).toBeCloseTo(roots[k]! / roots.reduce((a, b) => a + b), 5);
    }
  });
});
