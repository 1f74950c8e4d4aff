import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { AbortedError } from '../../src/core/errors.ts';
import { findDuplicates, starGroups, type Duplicates } from '../../src/datasets/duplicates.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { png, temporaryFolder, writeImages } from './image-folder.ts';

const signs = new URL('../../../shared/data/sign-digits/images/', import.meta.url);
const clothes = new URL('../../../shared/data/clothing/train/', import.meta.url);

/** Ways in which copies of images get into data sets. */
const COPIES: Readonly<Record<string, (image: Buffer) => Promise<Buffer>>> = {
  half: async (image) => {
    const { width, height } = await sharp(image).metadata();
    return sharp(image)
      .resize(Math.round(width / 2), Math.round(height / 2))
      .png()
      .toBuffer();
  },
  larger: async (image) => {
    const { width, height } = await sharp(image).metadata();
    return sharp(image)
      .resize(Math.round(width * 1.4), Math.round(height * 1.4))
      .png()
      .toBuffer();
  },
  'JPEG of quality 50': (image) => sharp(image).jpeg({ quality: 50 }).toBuffer(),
  mirrored: (image) => sharp(image).flop().png().toBuffer(),
  'crop of 90 %, corner': (image) => cropped(image, 0.9, 0.13, 0.93),
  'crop of 90 %, centre': (image) => cropped(image, 0.9, 0.5, 0.5),
  'crop of 90 % of the area': (image) => cropped(image, Math.sqrt(0.9), 0.8, 0.3),
  'mirrored crop, JPEG': async (image) =>
    sharp(await cropped(image, 0.92, 0.4, 0.7))
      .flop()
      .jpeg({ quality: 60 })
      .toBuffer(),
};

async function cropped(image: Buffer, part: number, x: number, y: number): Promise<Buffer> {
  const { width, height } = await sharp(image).metadata();
  const [w, h] = [Math.round(width * part), Math.round(height * part)];
  const region = { left: Math.round((width - w) * x), top: Math.round((height - h) * y), width: w, height: h };
  return sharp(image).extract(region).png().toBuffer();
}

async function duplicatesOf(files: Readonly<Record<string, number | Buffer>>): Promise<Duplicates> {
  const root = temporaryFolder();
  await writeImages(root, files);
  return findDuplicates((await readDataset(root)).samples);
}

/** `originals` and a copy of each of the first `planted` by every way: the share of copies found, by way. */
async function found(
  originals: readonly Buffer[],
  planted: number,
): Promise<{ shares: Record<string, number>; groupedStrangers: number }> {
  const files: Record<string, Buffer> = { 'z/other.png': await png('other') };
  for (const [i, image] of originals.entries()) files[`a/${i}.png`] = image;
  for (const [way, copy] of Object.entries(COPIES))
    for (let i = 0; i < planted; i++) files[`a/${i} ${way}.png`] = await copy(originals[i]!);
  const { pairs } = await duplicatesOf(files);
  const number = (id: string): string => /\d+/.exec(id)?.[0] ?? '';
  const near = new Set(pairs.map(({ files: [a, b] }) => `${a}|${b}`));
  const shares: Record<string, number> = {};
  for (const way of Object.keys(COPIES)) {
    const hits = Array.from({ length: planted }, (_, i) => near.has([`a/${i} ${way}.png`, `a/${i}.png`].join('|')));
    shares[way] = hits.filter(Boolean).length / planted;
  }
  const strangers = pairs.filter(({ files: [a, b] }) => number(a) !== number(b)).flatMap(({ files }) => files);
  return { shares, groupedStrangers: new Set(strangers).size };
}

function photos(root: URL, perClass: number): Buffer[] {
  const folder = fileURLToPath(root);
  return readdirSync(folder)
    .toSorted()
    .flatMap((name) =>
      readdirSync(join(folder, name))
        .toSorted()
        .slice(0, perClass)
        .map((file) => readFileSync(join(folder, name, file))),
    );
}

describe('findDuplicates', () => {
  it('finds the same bytes under several names', async () => {
    const { pairs, groups } = await duplicatesOf({ 'a/1.png': 1, 'a/2.png': 1, 'a/3.png': 1, 'b/4.png': 2 });
    expect(groups).toEqual([['a/1.png', 'a/2.png', 'a/3.png']]);
    expect(pairs.map(({ files, kind }) => [...files, kind])).toEqual([
      ['a/1.png', 'a/2.png', 'exact'],
      ['a/1.png', 'a/3.png', 'exact'],
    ]);
  });

  it('finds copies, and says which are mirrored', async () => {
    const original = await png(5, 100);
    const files: Record<string, number | Buffer> = { 'a/original.png': original, 'b/1.png': 1, 'b/2.png': 2 };
    for (const [way, copy] of Object.entries(COPIES)) files[`a/${way}.png`] = await copy(original);
    const { pairs, groups } = await duplicatesOf(files);
    expect(groups.map((group) => group.length)).toEqual([Object.keys(COPIES).length + 1]);
    const mirrored = (name: string): boolean | undefined =>
      pairs.find((pair) => pair.files.includes(`a/${name}.png`) && pair.files.includes('a/original.png'))?.mirrored;
    expect([mirrored('mirrored'), mirrored('half'), mirrored('mirrored crop, JPEG')]).toEqual([true, false, true]);
  });

  it('keeps apart what differs in colour alone', async () => {
    const dye = (r: number, g: number, b: number): Promise<Buffer> =>
      sharp({ create: { width: 64, height: 64, channels: 3, background: 'white' } })
        .composite([
          {
            input: Buffer.from(
              `<svg width="64" height="64"><circle cx="30" cy="34" r="20" fill="rgb(${r},${g},${b})"/></svg>`,
            ),
          },
        ])
        .png()
        .toBuffer();
    // Of one luma.
    const { groups } = await duplicatesOf({
      'red/1.png': await dye(200, 20, 40),
      'green/1.png': await dye(20, 118, 20),
    });
    expect(groups).toEqual([]);
  });

  it('does not take images without contrast for copies of each other', async () => {
    const plain = (grey: number): Promise<Buffer> =>
      sharp({ create: { width: 40, height: 40, channels: 3, background: { r: grey, g: grey, b: grey } } })
        .png()
        .toBuffer();
    expect(
      (await duplicatesOf({ 'a/1.png': await plain(30), 'b/2.png': await plain(31), 'b/3.png': 3 })).groups,
    ).toEqual([]);
  });

  it('names what does not decode', async () => {
    const whole = await png(3, 200);
    const cut = whole.subarray(0, whole.length / 2);
    const { quarantined } = await duplicatesOf({ 'a/1.png': 1, 'b/2.png': cut, 'b/3.png': cut });
    expect(quarantined.map(({ file, reason }) => [file, /cut short/.test(reason)])).toEqual([
      ['b/2.png', true],
      ['b/3.png', true],
    ]);
  });

  it('looks only for pairs that matter, of whatever file with that content', async () => {
    const root = temporaryFolder();
    const image = await png(7, 96);
    const copy = await COPIES['mirrored']!(image);
    // The first of the equal files lies in test, as does its near copy; the second lies in train.
    await writeImages(root, {
      'test/a/1.png': image,
      'test/a/2.png': copy,
      'train/a/3.png': 3,
      'train/b/4.png': 4,
      'test/b/5.png': 5,
    });
    const within = (await readDataset(root)).samples;
    const matters = (a: { split: string }, b: { split: string }): boolean => a.split === 'train' || a.split !== b.split;
    expect((await findDuplicates(within)).pairs).toHaveLength(1);
    expect((await findDuplicates(within, { matters })).pairs).toHaveLength(0);
    await writeImages(root, { 'train/a/6.png': image });
    const across = (await readDataset(root)).samples;
    const kinds = (await findDuplicates(across, { matters })).pairs.map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['exact', 'near']);
  });

  it('stops on request', async () => {
    const root = temporaryFolder();
    await writeImages(root, { 'a/1.png': 1, 'b/2.png': 2 });
    const { samples } = await readDataset(root);
    await expect(findDuplicates(samples, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });

  it.skipIf(!existsSync(signs))(
    'finds 95 of 100 planted copies of photos of hands, and joins no strangers',
    async () => {
      const { shares, groupedStrangers } = await found(photos(signs, 40), 20);
      for (const [way, share] of Object.entries(shares)) expect(share, way).toBeGreaterThanOrEqual(0.95);
      expect(groupedStrangers).toBe(0);
    },
  );

  it.skipIf(!existsSync(clothes))('finds 95 of 100 planted copies of photos of clothes', async () => {
    const { shares } = await found(photos(clothes, 6), 20);
    for (const [way, share] of Object.entries(shares)) expect(share, way).toBeGreaterThanOrEqual(0.95);
  });

  it('groups at most one in a thousand distinct MNIST digits', async () => {
    const folder = join(dirname(createRequire(import.meta.url).resolve('mnist')), 'digits');
    const files: Record<string, Buffer> = { 'other/1.png': await png('other') };
    // Ones and sevens are the most alike.
    for (const digit of [1, 7]) {
      const { data } = JSON.parse(readFileSync(join(folder, `${digit}.json`), 'utf8')) as { data: number[] };
      for (let i = 0; i < 300; i++) {
        const pixels = Buffer.from(data.slice(784 * i, 784 * (i + 1)).map((value) => Math.round(255 * value)));
        files[`${digit}/${i}.png`] = await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
          .png()
          .toBuffer();
      }
    }
    expect((await duplicatesOf(files)).groups).toEqual([]);
  });
});

describe('starGroups', () => {
  it('joins what is like one representative, and no chain beyond it', () => {
    const chain = [0, 1, 2, 3].map((a) => ({ a, b: a + 1 }));
    // 1, 2 and 3 have two links each; the first takes its neighbours, the chain is cut behind them.
    expect(starGroups(5, chain)).toEqual([
      [1, 0, 2],
      [3, 4],
    ]);
    expect(starGroups(3, [])).toEqual([[0], [1], [2]]);
  });

  it('puts each item into one group, linked to its representative', () => {
    const links = fc.array(
      fc.record({ a: fc.nat(19), b: fc.nat(19) }).filter(({ a, b }) => a !== b),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(links, (pairs) => {
        const groups = starGroups(20, pairs);
        expect(groups.flat().toSorted((x, y) => x - y)).toEqual(Array.from({ length: 20 }, (_, i) => i));
        for (const [representative, ...members] of groups)
          for (const member of members)
            expect(
              pairs.some(
                ({ a, b }) => (a === representative && b === member) || (b === representative && a === member),
              ),
            ).toBe(true);
      }),
    );
  });
});
