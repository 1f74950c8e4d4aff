import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { array, assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/datasets/dataset.ts';
import { joinGroups } from '../../src/datasets/groups.ts';
import { limitLabels } from '../../src/datasets/limit-labels.ts';
import { prepareDataset } from '../../src/datasets/prepare.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { holdOut } from '../../src/datasets/split.ts';
import { holdOutUnlabelled } from '../../src/recipes/distillation/arrange-unlabelled.ts';
import { foldsOf, prepareData } from '../../src/recipes/prepare-data.ts';
import { resolveTrainOptions } from '../../src/recipes/train-options.ts';
import { temporaryFolder, writeImages } from './image-folder.ts';

const groupsOf = (samples: readonly Sample[]): string[] =>
  [...new Set(samples.map(({ group, id }) => group ?? id))].toSorted();

function expectApart(a: readonly Sample[], b: readonly Sample[]): void {
  const inA = new Set(groupsOf(a));
  expect(groupsOf(b).filter((group) => inA.has(group))).toEqual([]);
}

function sample(i: number, label: number, group?: string): Sample {
  const named = group === undefined ? {} : { group };
  const image = { file: '', width: 1, height: 1, bytes: 1, contentKey: `${i}` };
  return { id: `${i}`.padStart(2, '0'), label, split: 'train', ...image, ...named };
}

/** Two classes of `patients` patients with `shots` photos each, some without a label. */
async function photos(patients: number, shots: number): Promise<string> {
  const root = temporaryFolder();
  const files: Record<string, number> = {};
  for (let p = 0; p < patients; p++)
    for (let s = 0; s < shots; s++) {
      const folder = s === shots - 1 ? 'unlabeled' : p % 2 === 0 ? 'sick' : 'well';
      files[`${folder}/patient${p}-${s}.png`] = p * shots + s;
    }
  await writeImages(root, files);
  return root;
}

describe('groups of images', () => {
  it('are named by the first capture group of an expression, else by all it matches', async () => {
    const root = await photos(2, 3);
    const named = async (group: string): Promise<string[]> => groupsOf((await readDataset(root, { group })).samples);
    expect(await named('patient(\\d+)')).toEqual(['0', '1']);
    expect(await named('patient\\d+')).toEqual(['patient0', 'patient1']);
    const { samples, warnings } = await readDataset(root, { group: '(patient0)' });
    expect(samples.filter(({ group }) => group === undefined).length).toBe(3);
    expect(warnings.join()).toMatch(/3 images in no group/);
  });

  it('are a column of a manifest where there is one of that name', async () => {
    const root = await photos(2, 3);
    const manifest = join(root, 'data.csv');
    writeFileSync(
      manifest,
      'path,label,patient\nsick/patient0-0.png,sick,A\nsick/patient0-1.png,sick,A\nwell/patient1-0.png,well,B\nwell/patient1-1.png,well,\n',
    );
    const { samples } = await readDataset(manifest, { group: 'patient' });
    expect(samples.map(({ group }) => group)).toEqual(['A', 'A', 'B', undefined]);
    const byPath = await readDataset(manifest, { group: 'patient(\\d)' });
    expect(byPath.samples.map(({ group }) => group)).toEqual(['0', '0', '1', '1']);
  });

  it('change the fingerprint of the data', async () => {
    const root = await photos(2, 3);
    const prints = await Promise.all(
      [undefined, 'patient\\d', '-(\\d)'].map(
        async (group) => (await readDataset(root, group === undefined ? {} : { group })).fingerprint,
      ),
    );
    expect(new Set(prints).size).toBe(3);
  });

  it('are refused where the expression is broken or matches nothing', async () => {
    const root = await photos(2, 3);
    await expect(readDataset(root, { group: 'patient(' })).rejects.toThrow(
      /"patient\(" is no column .*no regular expr/,
    );
    await expect(readDataset(root, { group: 'product' })).rejects.toThrow(/no column .* matches no path \(the first: /);
  });

  it('are joined with copies, over any chain', () => {
    const item = integer({ min: 0, max: 11 });
    assert(
      property(
        array(array(item, { minLength: 2, maxLength: 4 }), { maxLength: 4 }),
        array(item, { minLength: 12, maxLength: 12 }),
        (copies, names) => {
          // Names above 7 stand for no group.
          const samples = names.map((name, i) => ({ id: `${i}`, ...(name < 8 && { group: `${name}` }) }) as Sample);
          const links = copies.map((ids) => [...new Set(ids)].map(String)).filter((ids) => ids.length > 1);
          const joined = joinGroups(links, samples);
          // Warshall's closure over all pairs.
          const tied = samples.map((a) =>
            samples.map(
              (b) =>
                (a.group !== undefined && a.group === b.group) ||
                links.some((l) => l.includes(a.id) && l.includes(b.id)),
            ),
          );
          for (let k = 0; k < 12; k++)
            for (let i = 0; i < 12; i++) for (let j = 0; j < 12; j++) tied[i]![j] ||= tied[i]![k]! && tied[k]![j]!;
          if (samples.every(({ group }) => group === undefined)) return;
          const placeOf = new Map(joined.flatMap((ids, at) => ids.map((id) => [id, at] as const)));
          for (let i = 0; i < 12; i++)
            for (let j = 0; j < 12; j++)
              if (i !== j) expect(placeOf.has(`${i}`) && placeOf.get(`${i}`) === placeOf.get(`${j}`)).toBe(tied[i]![j]);
          expect(joined.flat().length).toBe(new Set(joined.flat()).size);
        },
      ),
    );
  });

  it('stay whole in folds, in what is held out, and among unlabelled images, as training deals them', async () => {
    const root = await photos(10, 5);
    const read = async (seed: number, val?: number) =>
      prepareData(
        resolveTrainOptions({ data: root, group: 'patient(\\d+)', seed, ...(val !== undefined && { val }) }),
        {},
        { useUnlabeled: true },
      );
    for (const seed of [0, 1, 2]) {
      const data = await read(seed);
      expect([data.crossValidated, data.train.length, data.unlabeled.length]).toEqual([true, 40, 10]);
      const folds = foldsOf(data.train, data, 5, seed);
      expect(folds.length).toBe(5);
      for (const { train, held } of folds) expectApart(train, held);
      const { held, rest } = holdOutUnlabelled(data.unlabeled, data.duplicates.groups, seed);
      expect(held.length).toBeGreaterThan(0);
      expectApart(held, rest);
      // With a share for validation there is a holdout for the score, too.
      const dealt = await read(seed, 0.2);
      expect([dealt.validation.length > 0, dealt.score.length > 0]).toEqual([true, true]);
      for (const part of [dealt.validation, dealt.score]) {
        expectApart(part, dealt.train);
        expectApart(part, dealt.unlabeled);
      }
      expectApart(dealt.validation, dealt.score);
    }
    // Without the option, the same folds do split patients: the test above can fail.
    const plain = await prepareData(resolveTrainOptions({ data: root, seed: 0 }), {});
    const patient = ({ id }: Sample): string => /patient(\d+)/.exec(id)![1]!;
    const [fold] = foldsOf(plain.train, plain, 5, 0);
    const inTrain = new Set(fold!.train.map(patient));
    expect(fold!.held.some((sample) => inTrain.has(patient(sample)))).toBe(true);
  });

  it('stay whole where few labels are drawn', async () => {
    const samples = Array.from({ length: 60 }, (_, i) => sample(i, i % 2, `g${Math.floor(i / 6)}`));
    const data = { root: '/data', classes: ['a', 'b'], samples, quarantined: [] };
    for (let seed = 0; seed < 20; seed++) {
      const limited = await limitLabels(data, { labelsPerClass: 10, seed });
      const kept = limited.samples.filter(({ split }) => split === 'train');
      // Groups have three images of each class.
      expect(kept.filter(({ label }) => label === 0).length).toBe(9);
      expectApart(
        kept,
        limited.samples.filter(({ split }) => split === 'unlabeled'),
      );
      expect(limited.warnings.join()).toMatch(/class "a" keeps 9 labels and not 10: groups are drawn as a whole/);
      const least = await limitLabels(data, { labelsPerClass: 1, seed });
      expect(least.samples.filter(({ split, label }) => split === 'train' && label === 1).length).toBe(3);
    }
  });

  it('are drawn as single images where there are none', async () => {
    const samples = Array.from({ length: 40 }, (_, i) => sample(i, i % 2));
    const limited = await limitLabels(
      { root: '/', classes: ['a', 'b'], samples, quarantined: [] },
      { labelsPerClass: 3 },
    );
    // As drawn before there were groups: a seed's labels stay its labels.
    expect(limited.samples.filter(({ split }) => split === 'train').map(({ id }) => id)).toEqual([
      '03',
      '04',
      '12',
      '19',
      '22',
      '23',
    ]);
  });

  it('across ready-made parts are reported, and leave as copies do', async () => {
    const root = temporaryFolder();
    await writeImages(root, {
      'train/a/p1-0.png': 1,
      'train/a/p2-0.png': 2,
      'train/b/p3-0.png': 3,
      'train/b/p4-0.png': 4,
      'test/a/p1-1.png': 5,
      'test/b/p5-0.png': 6,
      'unlabeled/p5-1.png': 7,
      'unlabeled/p6-0.png': 8,
    });
    const read = async (dropLeaks: boolean) => prepareDataset(root, { group: 'p(\\d)', dropLeaks });
    const { dataset, leaks } = await read(false);
    expect(leaks).toEqual([
      { files: ['test/a/p1-1.png', 'train/a/p1-0.png'], splits: ['test', 'train'], group: '1' },
      {
        files: ['test/b/p5-0.png', 'unlabeled/p5-1.png'],
        splits: ['test', 'unlabeled'],
        group: '5',
        dropped: 'unlabeled/p5-1.png',
      },
    ]);
    expect(dataset.samples.map(({ id }) => id)).not.toContain('unlabeled/p5-1.png');
    expect(dataset.samples.map(({ id }) => id)).toContain('train/a/p1-0.png');
    expect((await read(true)).dataset.samples.map(({ id }) => id)).not.toContain('train/a/p1-0.png');
  });

  it('that leave nothing to hold out are told of', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/p1-0.png': 1, 'a/p1-1.png': 2, 'b/p2-0.png': 3, 'b/p2-1.png': 4 });
    await expect(prepareData(resolveTrainOptions({ data: root, group: 'p(\\d)' }), {})).rejects.toThrow(
      /4 labelled images in 2 classes and 2 groups: too few to hold any out.*two of each class/,
    );
  });

  it('are not split by a holdout of any share', () => {
    const samples = Array.from({ length: 80 }, (_, i) => sample(i, i % 3, `g${i % 11}`));
    for (const share of [0.1, 0.2, 0.5]) {
      const { held, rest } = holdOut(samples, joinGroups([], samples), share, 3);
      expect(held.length).toBeGreaterThan(0);
      expectApart(held, rest);
    }
  });
});
