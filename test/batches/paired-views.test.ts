import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CropCache } from '../../src/batches/crop-cache.ts';
import { EvaluationCrops } from '../../src/batches/evaluation-crops.ts';
import { ImagePool } from '../../src/batches/image-pool.ts';
import { PairedViews } from '../../src/batches/paired-views.ts';
import type { TrainingBatch, TrainingItem } from '../../src/batches/training-batches.ts';
import { randomStream } from '../../src/core/random.ts';
import { encodePng } from '../../src/images/encode.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';

const SIDE = 16;
const COUNT = 24;
const BATCH = 4;
const preprocessing = parsePreprocessing(
  { inputSize: [SIDE, SIDE], mean: [128, 128, 128], std: [128, 128, 128] },
  'test',
);
const folder = mkdtempSync(join(tmpdir(), 'gleaner-pairs-'));
let items: TrainingItem[];
let pool: ImagePool;

beforeAll(async () => {
  items = [];
  for (let i = 0; i < COUNT; i++) {
    const stream = randomStream('pairs', i);
    const data = Uint8Array.from({ length: 24 * 24 * 3 }, () => stream.integer(256));
    const file = join(folder, `${i}.png`);
    await writeFile(file, await encodePng({ width: 24, height: 24, channels: 3, data }));
    items.push({ id: `${i}.png`, file, contentKey: `key ${i}`, width: 24, height: 24, target: 0 });
  }
  pool = await ImagePool.start(preprocessing, { threads: 2 });
});
afterAll(async () => {
  await pool.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const paired = (policy: string): PairedViews => {
  const options = { items, batchSize: BATCH, policy, epochs: 3, seed: 1, stage: 'pretrain' };
  return new PairedViews(pool, new EvaluationCrops(pool, new CropCache(preprocessing)), options);
};

async function collect(batches: AsyncIterable<TrainingBatch>): Promise<TrainingBatch[]> {
  const all: TrainingBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

const row = ({ images }: TrainingBatch, i: number): Buffer =>
  Buffer.from((images.data as Uint8Array).slice(i * SIDE * SIDE * 3, (i + 1) * SIDE * SIDE * 3));

describe('PairedViews', () => {
  it('has two drawings of each image together, as many images an epoch as there are', async () => {
    const source = paired('randomresizedcrop(scale=0.2..1)');
    const batches = await collect(source.epoch(1));
    expect(batches).toHaveLength(source.stepsPerEpoch);
    expect(batches.length * BATCH).toBe(COUNT);
    for (const batch of batches) {
      expect(batch.images.shape).toEqual([2 * BATCH, SIDE, SIDE, 3]);
      expect(batch.labels.shape).toEqual([BATCH]);
      expect(new Set(batch.ids).size).toBe(BATCH);
      for (let i = 0; i < BATCH; i++) expect(row(batch, 2 * i).equals(row(batch, 2 * i + 1))).toBe(false);
    }
    // Without anything drawn, the two rows are the image that the ids name.
    for (const batch of await collect(paired('evaluationcrop').epoch(1)))
      for (let i = 0; i < BATCH; i++) expect(row(batch, 2 * i).equals(row(batch, 2 * i + 1))).toBe(true);
  });

  it('goes on from any step with what it would have had', async () => {
    const source = paired('randomresizedcrop');
    const whole = await collect(source.epoch(2));
    for (let from = 1; from < whole.length; from++) {
      source.prepare(2, from);
      expect(await collect(source.epoch(2, from))).toEqual(whole.slice(from));
    }
    expect(await collect(source.epoch(3))).not.toEqual(whole);
  });
});
