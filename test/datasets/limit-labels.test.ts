import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { countInSplit, countPerClass } from '../../src/datasets/dataset.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { temporaryFolder, writeImages } from './image-folder.ts';

const shared = new URL('../../../shared/data/', import.meta.url);

async function split(): Promise<string> {
  const root = temporaryFolder();
  await writeImages(root, {
    'train/a/1.png': 1,
    'train/a/2.png': 2,
    'train/b/3.png': 3,
    'train/b/4.png': 4,
    'train/b/bad.jpg': Buffer.from('text'),
    'test/a/5.png': 5,
    'unlabeled/6.png': 6,
  });
  return root;
}

function list(text: string): string {
  const path = join(temporaryFolder(), 'labels.txt');
  writeFileSync(path, text);
  return path;
}

describe('labelsList', () => {
  it('keeps the labels of the listed images, however they are written', async () => {
    const root = await split();
    const labelsList = list(`\uFEFFtrain/a/1.png\r\n\r\n./b/3.png\n`);
    const { samples, limitedLabels } = await readDataset(root, { labelsList });
    expect(limitedLabels).toBe(true);
    expect(samples.map(({ id, split: part, label }) => `${id} ${part} ${label}`)).toEqual([
      'test/a/5.png test 0',
      'train/a/1.png train 0',
      'train/a/2.png unlabeled undefined',
      'train/b/3.png train 1',
      'train/b/4.png unlabeled undefined',
      'unlabeled/6.png unlabeled undefined',
    ]);
  });

  it('lists every line that names no labelled train image', async () => {
    const labelsList = list('train/a/1.png\ntrain/a/l.png\ntest/a/5.png\nunlabeled/6.png\n');
    await expect(readDataset(await split(), { labelsList })).rejects.toThrow(
      /3 lines.*\n.*line 2: train\/a\/l\.png is not in the data.*did you mean.*\n.*line 3: .* is in test.*\n.*line 4: .* is unlabelled/,
    );
    await expect(readDataset(await split(), { labelsList: list('\n') })).rejects.toThrow(/names no image/);
    await expect(readDataset(await split(), { labelsList: '/nowhere.txt' })).rejects.toThrow(/Can't read the list/);
  });

  it('warns of a listed image that is quarantined', async () => {
    const { warnings } = await readDataset(await split(), { labelsList: list('train/a/1.png\ntrain/b/bad.jpg\n') });
    expect(warnings.join()).toMatch(/train\/b\/bad\.jpg of the list is quarantined/);
  });

  it.skipIf(!existsSync(shared)).each([
    ['sign-digits', 'sign-digits-10-per-class-seed0.txt'],
    ['sign-digits/images', 'sign-digits-10-per-class-seed0.txt'],
    ['clothing', 'clothing-10-per-class-seed3.txt'],
  ])('reads the list of %s', async (folder, name) => {
    const labelsList = fileURLToPath(new URL(`label-lists/${name}`, shared));
    const dataset = await readDataset(fileURLToPath(new URL(folder, shared)), { labelsList });
    expect(countPerClass(dataset, 'train')).toEqual(Array.from({ length: 10 }, () => 10));
    expect(dataset.samples.every(({ split: part, label }) => (part === 'unlabeled') === (label === undefined))).toBe(
      true,
    );
  });
});

describe('labelsPerClass', () => {
  it('draws so many of each class by the seed', async () => {
    const root = await split();
    const drawn = async (seed: number): Promise<string> => {
      const dataset = await readDataset(root, { labelsPerClass: 1, seed });
      expect([countPerClass(dataset, 'train'), countInSplit(dataset, 'unlabeled')]).toEqual([[1, 1], 3]);
      return dataset.samples.flatMap(({ id, split: part }) => (part === 'train' ? [id] : [])).join();
    };
    expect(await drawn(1)).toBe(await drawn(1));
    expect(
      new Set([await drawn(1), await drawn(2), await drawn(3), await drawn(4), await drawn(5)]).size,
    ).toBeGreaterThan(1);
  });

  it('warns where a class has fewer, and refuses what is no number', async () => {
    const root = await split();
    expect((await readDataset(root, { labelsPerClass: 3 })).warnings.join()).toMatch(/class "a" has only 2 images/);
    await expect(readDataset(root, { labelsPerClass: 0 })).rejects.toThrow(/whole number of at least 1, got 0/);
    await expect(readDataset(root, { labelsPerClass: 1, labelsList: 'x' })).rejects.toThrow(/not both/);
  });
});
