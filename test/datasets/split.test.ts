import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import type { Dataset, Sample, Split } from '../../src/datasets/dataset.ts';
import { protocolOf } from '../../src/datasets/protocol.ts';
import { folds, holdOut } from '../../src/datasets/split.ts';

function sample(id: string, label: number | undefined, split: Split = 'train'): Sample {
  const rest = { id, file: `/${id}`, split, width: 1, height: 1, bytes: 1, contentKey: id };
  return label === undefined ? rest : { ...rest, label };
}

/** `counts[c]` train images of class c. */
function samplesOf(counts: readonly number[]): Sample[] {
  return counts.flatMap((count, label) => Array.from({ length: count }, (_, i) => sample(`${label}/${i}`, label)));
}

function datasetOf(samples: readonly Sample[], more: Partial<Dataset> = {}): Dataset {
  const labels = samples.map(({ label }) => label ?? -1);
  return {
    root: '/data',
    layout: 'folders',
    classes: Array.from({ length: Math.max(...labels) + 1 }, (_, i) => `class ${i}`),
    samples,
    quarantined: [],
    conflicts: [],
    ignored: [],
    warnings: [],
    limitedLabels: false,
    fingerprint: '',
    ...more,
  };
}

const ids = (samples: readonly Sample[]): string[] => samples.map(({ id }) => id).toSorted();

const data = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 6 }),
  // Sizes of groups that are cut from the samples in a row, singles between them.
  sizes: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }),
  seed: fc.nat(1000),
});

function groupsOf(samples: readonly Sample[], sizes: readonly number[]): string[][] {
  let at = 0;
  return sizes.map((size) => ids(samples.slice(at, (at += size)))).filter((group) => group.length > 1);
}

describe('holdOut', () => {
  it('parts the samples, keeps groups together, and does not depend on their order', () => {
    fc.assert(
      fc.property(data, ({ counts, sizes, seed }) => {
        const samples = samplesOf(counts);
        const groups = groupsOf(samples, sizes);
        const { held, rest } = holdOut(samples, groups, 0.2, seed);
        expect(ids([...held, ...rest])).toEqual(ids(samples));
        const inside = new Set(ids(held));
        for (const group of groups) expect(new Set(group.map((id) => inside.has(id))).size).toBe(1);
        expect(ids(holdOut(samples.toReversed(), groups.toReversed(), 0.2, seed).held)).toEqual(ids(held));
        for (const [label, count] of counts.entries())
          if (count > 0) expect(rest.some((s) => s.label === label) || groups.length > 0).toBe(true);
      }),
    );
  });

  it('holds the fraction of each class, to the image where there are no groups', () => {
    const counts = [100, 50, 12, 3, 2, 1];
    const { held } = holdOut(samplesOf(counts), [], 0.2, 3);
    expect(counts.map((_, label) => held.filter((s) => s.label === label).length)).toEqual([20, 10, 2, 1, 0, 0]);
  });

  it('draws another part for another seed', () => {
    const samples = samplesOf([100]);
    expect(ids(holdOut(samples, [], 0.2, 1).held)).not.toEqual(ids(holdOut(samples, [], 0.2, 2).held));
  });

  it('refuses a fraction out of range', () => {
    expect(() => holdOut(samplesOf([9]), [], 0, 0)).toThrow(RangeError);
    expect(() => holdOut(samplesOf([9]), [], 1, 0)).toThrow(RangeError);
    expect(() => holdOut([sample('x', undefined)], [], 0.5, 0)).toThrow(TypeError);
  });
});

describe('folds', () => {
  it('deals every sample once, groups together, classes evenly', () => {
    fc.assert(
      fc.property(data, fc.integer({ min: 2, max: 5 }), ({ counts, sizes, seed }, k) => {
        const samples = samplesOf(counts);
        const groups = groupsOf(samples, sizes);
        fc.pre(samples.length >= k + groups.flat().length);
        const dealt = folds(samples, groups, k, seed);
        expect(ids(dealt.flat())).toEqual(ids(samples));
        const foldOf = new Map(dealt.flatMap((fold, i) => fold.map(({ id }) => [id, i] as const)));
        for (const group of groups) expect(new Set(group.map((id) => foldOf.get(id))).size).toBe(1);
        if (groups.length > 0) return;
        for (const label of counts.keys()) {
          const each = dealt.map((fold) => fold.filter((s) => s.label === label).length);
          expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1);
        }
        expect(Math.max(...dealt.map((f) => f.length)) - Math.min(...dealt.map((f) => f.length))).toBeLessThanOrEqual(
          counts.length,
        );
      }),
    );
  });

  it('refuses more folds than independent images', () => {
    expect(() => folds(samplesOf([3]), [['0/0', '0/1', '0/2']], 2, 0)).toThrow(InputError);
    expect(() => folds(samplesOf([3]), [], 1, 0)).toThrow(RangeError);
  });
});

describe('protocolOf', () => {
  const train = samplesOf([20, 20]);
  const val = [0, 1].map((label) => sample(`val/${label}`, label, 'val'));
  const test = [0, 1].map((label) => sample(`test/${label}`, label, 'test'));
  const unlabeled = [sample('u/0', undefined, 'unlabeled'), sample('u/1', undefined, 'unlabeled')];

  it('scores on test, and chooses on val', () => {
    const found = protocolOf(datasetOf([...train, ...val, ...test, ...unlabeled]), [], { seed: 0 });
    expect(found).toMatchObject({ train, val, score: test, scoreSource: 'test', unlabeled });
  });

  it('does not look at val where labels are limited', () => {
    const limited = { limitedLabels: true };
    expect(protocolOf(datasetOf([...train, ...val, ...test], limited), [], { seed: 0 })).toMatchObject({
      val: [],
      score: test,
    });
    expect(protocolOf(datasetOf([...train, ...val], limited), [], { seed: 0 })).toMatchObject({
      train,
      val: [],
      score: val,
      scoreSource: 'val',
    });
  });

  it('else holds out a fifth, and lets unlabelled copies of it leave', () => {
    const plain = protocolOf(datasetOf([...train, ...val, ...unlabeled]), [], { seed: 5 });
    expect([plain.score.length, plain.train.length, plain.scoreSource]).toEqual([8, 32, 'holdout']);
    expect(plain.val).toEqual(val);
    const groups = [[plain.score[0]!.id, 'u/1']];
    const found = protocolOf(datasetOf([...train, ...unlabeled]), groups, { seed: 5, crossValidate: false });
    const scored = found.score.some(({ id }) => id === groups[0]![0]);
    expect(ids(found.unlabeled)).toEqual(scored ? ['u/0'] : ['u/0', 'u/1']);
    expect(scored).toBe(true);
  });

  it('cross-validates all of train where a fifth would tell little', () => {
    const few = datasetOf([...train, ...unlabeled]);
    expect(protocolOf(few, [], { seed: 5 })).toMatchObject({
      train,
      score: train,
      scoreSource: 'cross-validation',
      unlabeled,
    });
    const many = samplesOf([130, 130]);
    expect(protocolOf(datasetOf(many), [], { seed: 5 }).scoreSource).toBe('holdout');
    // Of one image a class, nothing is known without it.
    expect(() => protocolOf(datasetOf(samplesOf([1, 1])), [], { seed: 5 })).toThrow(/too few/);
  });

  it('says clearly what can not be trained or scored', () => {
    expect(() => protocolOf(datasetOf(samplesOf([5])), [], { seed: 0 })).toThrow(
      /at least two classes.*has 1 \(class 0\)/,
    );
    expect(() => protocolOf(datasetOf(samplesOf([1, 1, 1])), [], { seed: 0 })).toThrow(
      /3 labelled images in 3 classes: too few/,
    );
    const copies = [
      ['0/0', '0/1', '0/2'],
      ['1/0', '1/1', '1/2'],
    ];
    expect(() => protocolOf(datasetOf(samplesOf([3, 3])), copies, { seed: 0 })).toThrow(InputError);
  });

  it('warns of what makes a score weak', () => {
    const { warnings } = protocolOf(datasetOf(samplesOf([40, 1])), [], { seed: 0, crossValidate: false });
    expect(warnings.join('\n')).toMatch(/only one labelled image of class 1/);
    expect(warnings.join('\n')).toMatch(/class 1 to hold any out/);
    expect(warnings.join('\n')).toMatch(/8 images only/);
    const unseen = [...samplesOf([5, 5]), sample('test/2', 2, 'test')];
    expect(protocolOf(datasetOf(unseen), [], { seed: 0 }).warnings.join()).toMatch(
      /no labelled image of train shows class 2/,
    );
  });
});
