import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { AbortedError, InputError } from '../../src/core/errors.ts';
import type { Dataset } from '../../src/datasets/dataset.ts';
import { describeDataset } from '../../src/datasets/describe.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { png, temporaryFolder, writeImages } from './image-folder.ts';

/** `split class` of each id; `unlabeled -` where there is no label. */
function places(dataset: Dataset): Record<string, string> {
  return Object.fromEntries(
    dataset.samples.map(({ id, split, label }) => [
      id,
      `${split} ${label === undefined ? '-' : dataset.classes[label]}`,
    ]),
  );
}

describe('readDataset of a folder', () => {
  it('takes folders as classes, at any depth, and loose images as unlabelled', async () => {
    const root = temporaryFolder();
    await writeImages(root, {
      'dog/1.png': 1,
      'cat/deep/er/2.png': 2,
      'unlabelled/3.png': 3,
      'unlabelled/dog/4.png': 4,
      'loose.png': 5,
      'dog/named.jpg/6.png': 6,
    });
    const dataset = await readDataset(root);
    expect(dataset.layout).toBe('folders');
    expect(dataset.classes).toEqual(['cat', 'dog']);
    expect(places(dataset)).toEqual({
      'cat/deep/er/2.png': 'train cat',
      'dog/1.png': 'train dog',
      'dog/named.jpg/6.png': 'train dog',
      'loose.png': 'unlabeled -',
      'unlabelled/3.png': 'unlabeled -',
      'unlabelled/dog/4.png': 'unlabeled -',
    });
    expect(dataset.samples.every(({ width, height, bytes }) => width === 32 && height === 32 && bytes > 0)).toBe(true);
    expect(dataset.warnings).toEqual([]);
  });

  it('takes ready-made splits where every top folder is one', async () => {
    const root = temporaryFolder();
    await writeImages(root, {
      'Train/dog/1.png': 1,
      'Train/cat/2.png': 2,
      'Train/3.png': 3,
      'valid/dog/4.png': 4,
      'test/cat/5.png': 5,
      'test/6.png': 6,
      'unlabeled/7.png': 7,
    });
    const dataset = await readDataset(root);
    expect(dataset.layout).toBe('splits');
    expect(places(dataset)).toEqual({
      'Train/3.png': 'unlabeled -',
      'Train/cat/2.png': 'train cat',
      'Train/dog/1.png': 'train dog',
      'test/cat/5.png': 'test cat',
      'unlabeled/7.png': 'unlabeled -',
      'valid/dog/4.png': 'val dog',
    });
    expect(dataset.ignored).toEqual(['test/6.png']);
    expect(dataset.warnings.join()).toMatch(/no class folder/);
  });

  it('takes a class named like a split as a class', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'train/1.png': 1, 'car/2.png': 2, 'bus/a/3.png': 3 });
    expect((await readDataset(root)).classes).toEqual(['bus', 'car', 'train']);
    // Splits that hold no class folders are classes too.
    const other = temporaryFolder();
    await writeImages(other, { 'train/1.png': 1, 'test/2.png': 2 });
    expect(await readDataset(other)).toMatchObject({ layout: 'folders', classes: ['test', 'train'] });
  });

  it('is overruled by the layout option', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'train/a/1.png': 1, 'train/b/2.png': 2, 'test/a/3.png': 3 });
    expect(await readDataset(root, { layout: 'classes' })).toMatchObject({
      layout: 'folders',
      classes: ['test', 'train'],
    });
    await writeImages(root, { 'extra/4.png': 4 });
    const splits = await readDataset(root, { layout: 'splits' });
    expect(splits).toMatchObject({ layout: 'splits', classes: ['a', 'b'], ignored: ['extra/4.png'] });
  });

  it('looks for classes below a folder that holds nothing else', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'images/a/1.png': 1, 'images/b/2.png': 2 });
    const dataset = await readDataset(root);
    expect(dataset.classes).toEqual(['a', 'b']);
    expect(dataset.warnings.join()).toMatch(/only folder/);
  });

  it('sorts classes without regard to the locale', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'b/1.png': 1, 'a/2.png': 2, 'B/3.png': 3, 'ä/4.png': 4, '10/5.png': 5, '9/6.png': 6 });
    expect((await readDataset(root)).classes).toEqual(['10', '9', 'B', 'a', 'b', 'ä']);
  });

  it('passes over hidden and system entries, and says so', async () => {
    const root = temporaryFolder();
    await writeImages(root, {
      'a/1.png': 1,
      'b/2.png': 2,
      '.ipynb_checkpoints/3.png': 3,
      '__MACOSX/a/4.png': 4,
      'a/._1.png': 5,
      'a/Thumbs.db': Buffer.from('x'),
      'README.md': Buffer.from('words'),
    });
    const dataset = await readDataset(root);
    expect(dataset.samples.length).toBe(2);
    expect(dataset.classes).toEqual(['a', 'b']);
    expect(dataset.ignored).toEqual(['.ipynb_checkpoints', 'README.md', '__MACOSX', 'a/._1.png', 'a/Thumbs.db']);
    expect(dataset.warnings.join('\n')).toMatch(/4 hidden or system entries: \.ipynb_checkpoints.*\n.*README\.md/s);
  });

  it('quarantines what is no image, with its reason, and goes on', async () => {
    const root = temporaryFolder();
    const whole = await png(9, 200);
    await writeImages(root, {
      'a/1.png': 1,
      'b/2.png': 2,
      'a/empty.jpg': Buffer.alloc(0),
      'a/text.jpg': Buffer.from('not an image'),
      'b/photo.heic': Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'),
      'b/cut.png': whole.subarray(0, whole.length / 2),
      'b/no-extension': await png(3),
    });
    const { samples, quarantined, warnings } = await readDataset(root, { verify: 'decode' });
    expect(quarantined.map(({ file }) => file)).toEqual(['a/empty.jpg', 'a/text.jpg', 'b/cut.png', 'b/photo.heic']);
    expect(quarantined.map(({ reason }) => reason).join('\n')).toMatch(/0 bytes.*\n.*text.*\n.*cut short.*\n.*HEIC/);
    expect(samples.map(({ id }) => id)).toEqual(['a/1.png', 'b/2.png', 'b/no-extension']);
    expect(warnings).toEqual([]);
    // Headers alone don't show what is missing at the end.
    expect((await readDataset(root)).quarantined.map(({ file }) => file)).not.toContain('b/cut.png');
  });

  it('warns of content that is not what the name says', async () => {
    const root = temporaryFolder();
    const jpeg = await sharp(await png(1))
      .jpeg()
      .toBuffer();
    await writeImages(root, { 'a/x.png': jpeg, 'b/y.png': 2 });
    const { samples, warnings } = await readDataset(root);
    expect(samples.length).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/^1 file: .*\.png, the content is JPEG.*a\/x\.png/)]);
  });

  it('reads names with spaces, newlines, quotes and emoji, and shows them on one line', async () => {
    const root = temporaryFolder();
    const names = ['with space.png', 'new\nline.png', '🐈.png', '名前é.png', `quote'".png`];
    await writeImages(root, Object.fromEntries(names.map((name, i) => [`a b\n/${name}`, i])));
    await writeImages(root, { 'c/1.png': 9 });
    const dataset = await readDataset(root);
    expect(dataset.samples.map(({ id }) => id)).toEqual([
      ...names.map((name) => `a b\n/${name}`).toSorted(),
      'c/1.png',
    ]);
    expect(describeDataset(dataset)).toMatch(/^ {2}a b\\n +5$/m);
  });

  it.skipIf(process.platform !== 'linux')('names a file whose name is not UTF-8', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2 });
    writeFileSync(
      Buffer.concat([Buffer.from(`${root}/a/`), Buffer.from([0xff, 0xfe]), Buffer.from('.png')]),
      await png(3),
    );
    const { samples, quarantined } = await readDataset(root);
    expect(samples.length).toBe(2);
    expect(quarantined).toEqual([
      { file: expect.stringMatching(/^a\/.*\.png$/) as string, reason: expect.stringMatching(/UTF-8/) as string },
    ]);
  });

  it('follows links only when asked, and never in circles', async () => {
    const [root, outside, temporaryImage] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    await writeImages(temporaryImage, { '5.png': 5 });
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2 });
    await writeImages(outside, { '3.png': 3, 'more/4.png': 4 });
    symlinkSync(root, join(root, 'a', 'loop'));
    symlinkSync(outside, join(root, 'b', 'out'));
    symlinkSync(join(temporaryImage, '5.png'), join(root, 'a', 'linked.png'));
    symlinkSync(join(root, 'nowhere'), join(root, 'a', 'broken.png'));
    const plain = await readDataset(root);
    expect(plain.samples.map(({ id }) => id)).toEqual(['a/1.png', 'b/2.png']);
    expect(plain.warnings.join()).toMatch(/4 links not followed/);
    const followed = await readDataset(root, { followLinks: true });
    expect(followed.samples.map(({ id }) => id)).toEqual([
      'a/1.png',
      'a/linked.png',
      'b/2.png',
      'b/out/3.png',
      'b/out/more/4.png',
    ]);
    expect(followed.warnings.join()).toMatch(/2 links not followed/);
  });

  it('leaves out empty classes, and says so', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'c/2.png': 2, 'd/x.jpg': Buffer.alloc(0) });
    mkdirSync(join(root, 'b'));
    const { classes, samples, warnings } = await readDataset(root);
    expect(classes).toEqual(['a', 'c']);
    expect(samples.map(({ label }) => label)).toEqual([0, 1]);
    expect(warnings.join()).toMatch(/2 classes without an image left out: b, d/);
  });

  it('leaves out one image under two labels', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'b/copy.png': 1, 'a/2.png': 2, 'b/3.png': 3, 'a/same.png': 2 });
    const dataset = await readDataset(root);
    expect(dataset.conflicts).toEqual([{ files: ['a/1.png', 'b/copy.png'], labels: ['a', 'b'] }]);
    expect(dataset.samples.map(({ id }) => id)).toEqual(['a/2.png', 'a/same.png', 'b/3.png']);
    expect(describeDataset(dataset)).toMatch(/Conflicts: 1 image/);
  });

  it('has a fingerprint of what it holds', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2 });
    const first = (await readDataset(root)).fingerprint;
    expect((await readDataset(root)).fingerprint).toBe(first);
    await writeImages(root, { 'b/2.png': 3 });
    const changed = (await readDataset(root)).fingerprint;
    expect(changed).not.toBe(first);
    await writeImages(root, { 'c/2.png': 4 });
    expect((await readDataset(root)).fingerprint).not.toBe(changed);
  });

  it('sees a change in the first 192 KB, in the last 64 KB, and in the length of a large file', async () => {
    const root = temporaryFolder();
    const image = await png(1);
    const large = Buffer.concat([image, Buffer.alloc(400_000)]);
    await writeImages(root, { 'a/1.png': large, 'b/2.png': 2 });
    const keys = new Set([(await readDataset(root)).samples[0]!.contentKey]);
    for (const changed of [
      Buffer.concat([large.subarray(0, 100_000), Buffer.from([1]), large.subarray(100_001)]),
      Buffer.concat([large.subarray(0, -1), Buffer.from([1])]),
      Buffer.concat([large, Buffer.alloc(1)]),
    ]) {
      await writeImages(root, { 'a/1.png': changed });
      keys.add((await readDataset(root)).samples[0]!.contentKey);
    }
    expect(keys.size).toBe(4);
  });

  it('says what is missing', async () => {
    const root = temporaryFolder();
    await expect(readDataset(join(root, 'none'))).rejects.toThrow(/there is no such folder or file/);
    await expect(readDataset(root)).rejects.toThrow(/holds no classes: expected a folder for each class/);
    await writeImages(root, { '1.png': 1 });
    await expect(readDataset(root)).rejects.toThrow(InputError);
    await expect(readDataset(join(root, '1.png'))).rejects.toThrow(/neither a folder nor a manifest/);
    await writeImages(root, { 'a/x.jpg': Buffer.alloc(0), 'b/y.jpg': Buffer.alloc(0) });
    await expect(readDataset(root)).rejects.toThrow(
      /no labelled image that can be read \(2 files quarantined.*0 bytes/,
    );
  });

  it('takes images without any label where no class is needed', async () => {
    const root = temporaryFolder();
    await expect(readDataset(root, { labelsOptional: true })).rejects.toThrow(/no image that can be read/);
    await writeImages(root, { '1.png': 1, 'unlabeled/deep/2.png': 2 });
    const { classes, samples } = await readDataset(root, { labelsOptional: true });
    expect(classes).toEqual([]);
    expect(samples.map(({ id, split, label }) => [id, split, label])).toEqual([
      ['1.png', 'unlabeled', undefined],
      ['unlabeled/deep/2.png', 'unlabeled', undefined],
    ]);
  });

  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
    'goes on past a folder it may not list',
    async () => {
      const root = temporaryFolder();
      await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2, 'c/3.png': 3 });
      chmodSync(join(root, 'c'), 0);
      const { quarantined } = await readDataset(root);
      chmodSync(join(root, 'c'), 0o700);
      expect(quarantined).toEqual([{ file: 'c', reason: expect.stringMatching(/permission/) as string }]);
    },
  );

  it('stops on request and reports progress', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2 });
    await expect(readDataset(root, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const events: unknown[] = [];
    await readDataset(root, { onProgress: (event) => events.push(event) });
    expect(events).toEqual([{ type: 'step', stage: 'read images', done: 2, total: 2, unit: 'images' }]);
  });
});
