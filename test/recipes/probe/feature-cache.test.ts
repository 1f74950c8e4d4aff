import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { float32 } from '../../../src/core/tensor.ts';
import { FeatureCache } from '../../../src/recipes/probe/feature-cache.ts';

let folder: string;
const before = process.env['GLEANER_CACHE'];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-features-'));
  process.env['GLEANER_CACHE'] = folder;
});
afterAll(async () => {
  if (before === undefined) delete process.env['GLEANER_CACHE'];
  else process.env['GLEANER_CACHE'] = before;
  await rm(folder, { recursive: true, force: true });
});

it('finds features again by content, for the same key alone', async () => {
  const cache = await FeatureCache.open(['network', 1]);
  await cache.add(['a', 'b'], float32([1, 2, 3, 4], [2, 2]));
  await cache.add(['c'], float32([5, 6], [1, 2]));
  const again = await FeatureCache.open(['network', 1]);
  expect(['a', 'b', 'c'].map((key) => [...again.get(key)!])).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(again.get('d')).toBeUndefined();
  expect((await FeatureCache.open(['network', 2])).get('a')).toBeUndefined();
});

it('takes a damaged file for empty', async () => {
  const cache = await FeatureCache.open(['damaged']);
  await cache.add(['a'], float32([1], [1, 1]));
  const files = await readdir(join(folder, 'features'));
  for (const file of files) await writeFile(join(folder, 'features', file), 'broken');
  expect((await FeatureCache.open(['damaged'])).get('a')).toBeUndefined();
});
