import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { checkData } from '../../src/datasets/check.ts';
import { prepareDataset } from '../../src/datasets/prepare.ts';
import { png, temporaryFolder, writeImages } from './image-folder.ts';

const smaller = async (seed: number): Promise<Buffer> =>
  sharp(await png(seed, 64))
    .resize(40)
    .png()
    .toBuffer();

async function leaky(): Promise<string> {
  const root = temporaryFolder();
  await writeImages(root, {
    'train/a/1.png': await png(1, 64),
    'train/a/2.png': await png(2, 64),
    'train/b/3.png': await png(3, 64),
    'train/b/4.png': await png(4, 64),
    'val/b/3-small.png': await smaller(3),
    'test/a/1-same.png': await png(1, 64),
    'test/b/9.png': await png(9, 64),
    'unlabeled/9-small.png': await smaller(9),
    'unlabeled/2-small.png': await smaller(2),
    'unlabeled/7.png': await png(7, 64),
  });
  return root;
}

describe('prepareDataset', () => {
  it('reports pairs across splits, and lets only unlabelled copies leave', async () => {
    const { dataset, leaks } = await prepareDataset(await leaky());
    expect(leaks).toEqual([
      { files: ['test/a/1-same.png', 'train/a/1.png'], splits: ['test', 'train'] },
      {
        files: ['test/b/9.png', 'unlabeled/9-small.png'],
        splits: ['test', 'unlabeled'],
        dropped: 'unlabeled/9-small.png',
      },
      { files: ['train/b/3.png', 'val/b/3-small.png'], splits: ['train', 'val'] },
    ]);
    expect(dataset.samples.length).toBe(9);
    expect(dataset.samples.map(({ id }) => id)).not.toContain('unlabeled/9-small.png');
  });

  it('drops train copies of val and test images on request, never val or test', async () => {
    const { dataset, leaks } = await prepareDataset(await leaky(), { dropLeaks: true });
    expect(leaks.map(({ dropped }) => dropped)).toEqual(['train/a/1.png', 'unlabeled/9-small.png', 'train/b/3.png']);
    expect(dataset.samples.map(({ id }) => id)).toEqual([
      'test/a/1-same.png',
      'test/b/9.png',
      'train/a/2.png',
      'train/b/4.png',
      'unlabeled/2-small.png',
      'unlabeled/7.png',
      'val/b/3-small.png',
    ]);
  });

  it('leaves out one picture under two labels, unless it is mirrored', async () => {
    const root = temporaryFolder();
    await writeImages(root, {
      'left/1.png': await png(1, 64),
      'right/1.png': await sharp(await png(1, 64))
        .flop()
        .png()
        .toBuffer(),
      'left/2.png': await png(2, 64),
      'right/2-small.png': await smaller(2),
      'left/3.png': await png(3, 64),
      'right/4.png': await png(4, 64),
    });
    const { dataset } = await prepareDataset(root);
    expect(dataset.conflicts).toEqual([{ files: ['left/2.png', 'right/2-small.png'], labels: ['left', 'right'] }]);
    expect(dataset.samples.map(({ id }) => id)).toEqual(['left/1.png', 'left/3.png', 'right/1.png', 'right/4.png']);
  });

  it('quarantines what does not decode', async () => {
    const root = temporaryFolder();
    const whole = await png(1, 200);
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2, 'b/cut.png': whole.subarray(0, whole.length / 2) });
    const { dataset } = await prepareDataset(root);
    expect(dataset.quarantined).toEqual([{ file: 'b/cut.png', reason: expect.stringMatching(/cut short/) as string }]);
    expect(dataset.samples.length).toBe(2);
  });
});

describe('checkData', () => {
  it('counts per class and split, with all that was found', async () => {
    const check = await checkData(await leaky());
    expect(check).toMatchObject({
      type: 'result',
      layout: 'splits',
      classes: [
        { name: 'a', train: 2, val: 0, test: 1 },
        { name: 'b', train: 2, val: 1, test: 1 },
      ],
      images: { train: 4, val: 1, test: 2, unlabeled: 2 },
      quarantined: [],
      conflicts: [],
    });
    expect(check.duplicates.groups.length).toBe(4);
    expect(check.leaks.length).toBe(3);
    // Plain data: what is printed is what was found.
    expect(JSON.parse(JSON.stringify(check))).toEqual(check);
  });
});
