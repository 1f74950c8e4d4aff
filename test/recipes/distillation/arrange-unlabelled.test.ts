import { expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import type { Sample, Split } from '../../../src/datasets/dataset.ts';
import {
  arrangeUnlabelled,
  holdOutUnlabelled,
  withoutLabels,
} from '../../../src/recipes/distillation/arrange-unlabelled.ts';
import type { ReadData } from '../../../src/recipes/prepare-data.ts';

const sample = (id: string, split: Split, label?: number): Sample => ({
  id,
  file: `/data/${id}`,
  split,
  width: 8,
  height: 8,
  bytes: 1,
  contentKey: id,
  ...(label !== undefined && { label }),
});

const read = (samples: readonly Sample[], groups: readonly (readonly string[])[] = []): ReadData => ({
  dataset: { root: '/data', classes: ['cat', 'dog'], samples } as unknown as ReadData['dataset'],
  duplicates: { groups } as unknown as ReadData['duplicates'],
  leaks: [],
  unlabeledCount: samples.length,
});

const loose = Array.from({ length: 30 }, (_, i) => sample(`${i}.png`, 'unlabeled'));

it('holds out a tenth that is not trained on, nor a copy of it', () => {
  const groups = [
    ['0.png', '1.png', '2.png'],
    ['3.png', '4.png'],
  ];
  for (const seed of [0, 1, 2, 3, 4]) {
    const { unlabeled, compared } = arrangeUnlabelled(read(loose, groups), ['a', 'b'], seed);
    expect(compared.length).toBeGreaterThanOrEqual(2);
    expect(compared.length).toBeLessThanOrEqual(4);
    const held = new Set(compared.map(({ id }) => id));
    expect(unlabeled.map(({ id }) => id)).toEqual(loose.map(({ id }) => id).filter((id) => !held.has(id)));
    for (const group of groups) expect(new Set(group.map((id) => held.has(id))).size).toBe(1);
  }
  expect(holdOutUnlabelled(loose.slice(0, 2), [], 0)).toMatchObject({ held: [{}], rest: [{}] });
});

it('forgets labels of train and val, and scores on test by names of the student’s', () => {
  const samples = [...loose, sample('a', 'train', 0), sample('b', 'val', 1), sample('c', 'test', 1)];
  const bare = withoutLabels(read(samples));
  expect(bare.dataset.samples.map(({ id, split, label }) => [id, split, label]).slice(30)).toEqual([
    ['a', 'unlabeled', undefined],
    ['c', 'test', 1],
  ]);
  const arranged = arrangeUnlabelled(bare, ['dog', 'cat'], 0);
  expect(arranged).toMatchObject({ classes: ['dog', 'cat'], train: [], score: [{ id: 'c', label: 0 }] });
  expect(() => arrangeUnlabelled(bare, ['dogs', 'cats'], 0)).toThrow(/"dog" \(did you mean "dogs"\?\)/);
});

it('needs two images that are no copies', () => {
  expect(() => arrangeUnlabelled(read(loose.slice(0, 1)), ['a', 'b'], 0)).toThrow(/has 1 image .* at least 2/);
  const copies = [loose.slice(0, 3).map(({ id }) => id)];
  expect(() => arrangeUnlabelled(read(loose.slice(0, 3), copies), ['a', 'b'], 0)).toThrow(InputError);
});
