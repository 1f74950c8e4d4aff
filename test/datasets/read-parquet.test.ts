import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetWriteFile, type ColumnSource } from 'hyparquet-writer';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkData } from '../../src/datasets/check.ts';
import { ParquetFile } from '../../src/datasets/parquet-file.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { readImages } from '../../src/datasets/read-images.ts';
import { png, temporaryFolder, writeImages } from './image-folder.ts';

const GOLDEN = fileURLToPath(new URL('golden/parquet', import.meta.url));
const RECORDED = JSON.parse(readFileSync(join(GOLDEN, '../parquet.json'), 'utf8')) as Record<
  string,
  { readonly images: readonly (string | null)[]; readonly labels: readonly (string | number | null)[] }
>;
const HF = join(GOLDEN, 'hf');

function ownCache(): string {
  const folder = temporaryFolder();
  vi.stubEnv('GLEANER_CACHE', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  return folder;
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

async function columnOf(file: string, ...path: string[]): Promise<unknown[]> {
  await using parquet = await ParquetFile.open(file);
  const all: unknown[] = [];
  for await (const { start, values } of parquet.read(...path)) {
    expect(start).toBe(all.length);
    all.push(...Array.from(values));
  }
  return all;
}

const column = (name: string, data: unknown[], type: ColumnSource['type']): ColumnSource => ({
  name,
  data,
  type: type!,
});

describe('a Parquet file', () => {
  it.each(Object.keys(RECORDED))('has the values that were written: %s', async (name) => {
    const file = join(GOLDEN, name);
    const { images, labels } = RECORDED[name]!;
    const struct = name.startsWith('plain') || name === 'one-group.parquet' ? [] : ['bytes'];
    const bytes = await columnOf(file, 'image', ...struct);
    expect(bytes.map((value) => (value === null ? null : sha256(value as Uint8Array)))).toEqual(images);
    if (name === 'several-labels.parquet') return;
    const read = await columnOf(file, 'label');
    expect(read.map((value) => (typeof value === 'bigint' ? Number(value) : value))).toEqual(labels);
  });

  it('is read a page at a time, however large a row group is', async () => {
    await using parquet = await ParquetFile.open(join(GOLDEN, 'one-group.parquet'));
    expect(parquet.bytesOf('image')).toBeGreaterThan(48 * 2 ** 20);
    const counts: number[] = [];
    for await (const { values } of parquet.read('image')) counts.push(values.length);
    expect(counts).toEqual(Array.from({ length: 48 }, () => 1));
  });

  it('of which a page is too large for memory is refused by its row, before it is read', async () => {
    const before = process.memoryUsage().arrayBuffers;
    await expect(columnOf(join(GOLDEN, 'large-page.parquet'), 'image')).rejects.toThrow(
      /large-page\.parquet, row 1 of the column "image": a page has 6291\d+ bytes, more than .*row_group_size=100/,
    );
    // A page of 600 MB would be seen.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 2 ** 20);
  });

  it('of a codec that is not read here is refused by its name', async () => {
    await expect(columnOf(join(GOLDEN, 'zstd.parquet'), 'image')).rejects.toThrow(
      /zstd\.parquet: the column "image" is compressed by ZSTD; read are SNAPPY, GZIP, BROTLI and UNCOMPRESSED/,
    );
  });

  it('that is none, or is cut short, is refused', async () => {
    const folder = temporaryFolder();
    const whole = readFileSync(join(GOLDEN, 'plain-none.parquet'));
    for (const [name, content] of Object.entries({
      empty: Buffer.alloc(0),
      text: Buffer.from('path,label\n'),
      cut: whole.subarray(0, whole.length - 10),
      footer: Buffer.concat([whole.subarray(0, 4), whole.subarray(-500)]),
    })) {
      const file = join(folder, `${name}.parquet`);
      writeFileSync(file, content);
      await expect(readDataset(file), name).rejects.toMatchObject({ name: 'FormatError' });
    }
  });

  it('with any byte changed is read or refused, and never more', async () => {
    const folder = temporaryFolder();
    const whole = readFileSync(join(HF, 'data/train-00000-of-00002.parquet'));
    const file = join(folder, 'x.parquet');
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      const changed = Buffer.from(whole);
      const place = (i * 7919) % whole.length;
      changed[place]! ^= 1 + (i % 255);
      writeFileSync(file, changed);
      const answer = await columnOf(file, 'image', 'bytes').catch((error: unknown) => error);
      if (answer instanceof Error) {
        expect(['FormatError', 'InputError'], `byte ${place}: ${answer.stack}`).toContain(answer.name);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(20);
  });
});

describe('readDataset of Parquet', () => {
  it('reads shards as the datasets library writes them, splits by name', async () => {
    ownCache();
    const { root, layout, classes, samples, quarantined, ignored, warnings } = await readDataset(HF);
    expect([root, layout, classes]).toEqual([HF, 'parquet', ['cat', 'dog']]);
    const [first, second] = ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'];
    expect(samples.map(({ id, split, label }) => [id, split, label])).toEqual([
      [`${first}/0`, 'train', 0],
      [`${first}/1`, 'train', 1],
      [`${first}/2`, 'unlabeled', undefined],
      [`${second}/0`, 'train', 1],
      [`${second}/4`, 'unlabeled', undefined],
      ['data/validation-00000-of-00001.parquet/0', 'val', 0],
    ]);
    // Rows that hold no image are named.
    expect(quarantined).toEqual([
      { file: `${second}/1`, reason: 'the row has no image: its bytes are null' },
      { file: `${second}/2`, reason: expect.stringMatching(/not an image/) as string },
      { file: `${second}/3`, reason: expect.stringMatching(/empty/) as string },
    ]);
    expect(ignored).toEqual(['data/validation-00000-of-00001.parquet/1']);
    expect(warnings.join()).toMatch(/1 row of val or test without a label, passed over/);
    for (const { id, file } of samples) {
      const [name, row] = [id.slice(0, id.lastIndexOf('/')), Number(id.slice(id.lastIndexOf('/') + 1))];
      expect(sha256(readFileSync(file))).toBe(RECORDED[`hf/${name}`]!.images[row]);
    }
  });

  it('takes text as labels, and a file of its own', async () => {
    ownCache();
    const { root, classes, samples } = await readDataset(join(GOLDEN, 'text-labels.parquet'));
    expect([root, classes]).toEqual([GOLDEN, ['bun', 'hot dog']]);
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['text-labels.parquet/0', 1],
      ['text-labels.parquet/1', 0],
      ['text-labels.parquet/2', undefined],
    ]);
  });

  it.each(['gzip', 'brotli', 'none', 'v2'])(
    'takes bytes without a struct, and columns of splits and groups: %s',
    async (name) => {
      ownCache();
      const { samples, classes } = await readDataset(join(GOLDEN, `plain-${name}.parquet`), { group: 'patient' });
      expect(
        samples.map(({ split, label, group }) => [split, label === undefined ? '-' : classes[label], group]),
      ).toEqual([
        ['train', 'a', 'p1'],
        ['train', 'b', 'p2'],
        ['val', 'a', 'p1'],
        ['test', 'b', 'p3'],
        ['unlabeled', '-', undefined],
        ['unlabeled', '-', 'p2'],
      ]);
    },
  );

  it('refuses a column of several labels in one sentence', async () => {
    ownCache();
    await expect(readDataset(join(GOLDEN, 'several-labels.parquet'))).rejects.toThrow(
      /several-labels\.parquet: the column "label" holds several labels an image; one label an image is supported: [^.]*\.$/,
    );
  });

  it('lists every row whose label or split is none, before it reads an image', async () => {
    const cache = ownCache();
    const file = join(temporaryFolder(), 'a.parquet');
    const bytes = ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text));
    const image = column('image', bytes, 'BYTE_ARRAY');
    const features = { label: { _type: 'ClassLabel', names: ['cat', 'dog'] } };
    const kvMetadata = [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }];
    const label = column('label', [2n, 0n, -2n, null], 'INT64');
    parquetWriteFile({ filename: file, columnData: [image, label], kvMetadata });
    await expect(readDataset(file)).rejects.toThrow(
      /2 bad rows in Parquet:\n {2}row 0 of \S+ has the label 2, and there are 2 classes, from 0\n {2}row 2 of \S+ has the label -2/,
    );
    expect(readdirSync(cache)).toEqual([]);
    const split = column('split', ['train', 'tset', '', 'val'], 'STRING');
    const text = column('label', ['x', 'y', 'x', 'y'], 'STRING');
    parquetWriteFile({ filename: file, columnData: [image, text, split] });
    await expect(readDataset(file)).rejects.toThrow(
      /1 bad row in Parquet:\n {2}row 1 of \S+ has the split "tset"; known are/,
    );
  });

  it('takes numbers as names where there are no others, as pandas writes them with missing ones', async () => {
    ownCache();
    const file = join(temporaryFolder(), 'a.parquet');
    const pixels = await Promise.all([1, 2, 3].map((seed) => png(seed)));
    const image = column('image', pixels, 'BYTE_ARRAY');
    const label = column('label', [1, 0, Number.NaN], 'DOUBLE');
    parquetWriteFile({ filename: file, columnData: [image, label] });
    const { samples, classes } = await readDataset(file);
    expect(samples.map(({ label }) => (label === undefined ? '-' : classes[label]))).toEqual(['1', '0', '-']);
    parquetWriteFile({ filename: file, columnData: [{ ...image, name: 'img' }, label] });
    await expect(readDataset(file)).rejects.toThrow(
      /needs one column of images, .* it has 0 such among its columns img, label/,
    );
    parquetWriteFile({
      filename: file,
      columnData: [image, label, { ...label, name: 'class' }],
    });
    await expect(readDataset(file)).rejects.toThrow(
      /several columns of classes \(label, class\): name the one that is meant "label"/,
    );
  });

  it('extracts a file once, and again where it changed', async () => {
    const cache = join(ownCache(), 'parquet');
    const folder = temporaryFolder();
    const file = join(folder, 'a.parquet');
    cpSync(join(GOLDEN, 'text-labels.parquet'), file);
    const first = await readDataset(file);
    const [extracted] = readdirSync(cache);
    const written = statSync(first.samples[0]!.file).mtimeMs;
    const again = await readDataset(file);
    expect(again).toEqual(first);
    expect([readdirSync(cache), statSync(first.samples[0]!.file).mtimeMs]).toEqual([[extracted], written]);
    cpSync(join(GOLDEN, 'plain-none.parquet'), file);
    const changed = await readDataset(file);
    expect(changed.classes).toEqual(['a', 'b']);
    expect(readdirSync(cache).length).toBe(2);
    // What a killed process left is not taken for whole.
    rmSync(join(cache, extracted!, 'index.json'));
    cpSync(join(GOLDEN, 'text-labels.parquet'), file);
    expect((await readDataset(file)).fingerprint).toBe(first.fingerprint);
  });

  it('serves checks, label lists and listings as any data does', async () => {
    ownCache();
    const list = join(temporaryFolder(), 'labels.txt');
    writeFileSync(list, 'data/train-00000-of-00002.parquet/0\nhf/data/train-00001-of-00002.parquet/0\n');
    const { classes, quarantined, images } = await checkData(HF, { labelsList: list });
    expect(classes).toEqual([
      { name: 'cat', train: 1, val: 1, test: 0 },
      { name: 'dog', train: 1, val: 0, test: 0 },
    ]);
    expect([images.unlabeled, quarantined.length]).toEqual([3, 3]);
    expect((await readImages(HF)).length).toBe(6);
    writeFileSync(list, 'data/train-00000-of-00002.parquet/9\n');
    await expect(readDataset(HF, { labelsList: list })).rejects.toThrow(/line 1: \S+\/9 is not in the data/);
  });

  it('refuses several data sets in one folder; images as files come first', async () => {
    ownCache();
    const root = temporaryFolder();
    for (const place of ['one/train', 'one/test', 'two/train']) {
      mkdirSync(join(root, place), { recursive: true });
      cpSync(join(GOLDEN, 'text-labels.parquet'), join(root, place, '0000.parquet'));
    }
    await expect(readDataset(root)).rejects.toThrow(/several folders \(one, two\), each a data set of its own/);
    const { samples } = await readDataset(join(root, 'one'));
    expect(samples.map(({ id, split }) => `${split} ${id}`)).toEqual([
      'test test/0000.parquet/0',
      'test test/0000.parquet/1',
      'train train/0000.parquet/0',
      'train train/0000.parquet/1',
      'unlabeled train/0000.parquet/2',
    ]);
    await writeImages(root, { 'cat/1.png': 1, 'dog/2.png': 2 });
    expect((await readDataset(root)).layout).toBe('folders');
  });
});
