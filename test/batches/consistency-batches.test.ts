import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/augment/policy.ts';
import { ConsistencyBatches, type ConsistencyBatch } from '../../src/batches/consistency-batches.ts';
import { CropCache } from '../../src/batches/crop-cache.ts';
import { EvaluationCrops, type ImageSource } from '../../src/batches/evaluation-crops.ts';
import { ImagePool } from '../../src/batches/image-pool.ts';
import { TrainingBatches, type TrainingBatchesOptions } from '../../src/batches/training-batches.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import { encodePng } from '../../src/images/encode.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';

const SIDE = 8;
const SAMPLES = 2;
const RATIO = 3;
const preprocessing = parsePreprocessing(
  { inputSize: [SIDE, SIDE], mean: [128, 128, 128], std: [128, 128, 128] },
  'test',
);

let folder: string;
let labelled: ImageSource[];
let unlabelled: ImageSource[];
const cacheBefore = process.env['GLEANER_CACHE'];

/** Of one grey each, so that a row says which image it is of. */
async function write(name: string, grey: number): Promise<ImageSource> {
  const file = join(folder, name);
  const data = new Uint8Array(SIDE * SIDE * 3).fill(grey);
  await writeFile(file, await encodePng({ width: SIDE, height: SIDE, channels: 3, data }));
  return { id: name, file, contentKey: name, width: SIDE, height: SIDE };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-consistency-batches-'));
  process.env['GLEANER_CACHE'] = join(folder, 'cache');
  labelled = await Promise.all(Array.from({ length: 5 }, (_, i) => write(`l${i}.png`, 10 + i)));
  unlabelled = await Promise.all(Array.from({ length: 11 }, (_, i) => write(`u${i}.png`, 100 + i)));
});
afterAll(async () => {
  if (cacheBefore === undefined) delete process.env['GLEANER_CACHE'];
  else process.env['GLEANER_CACHE'] = cacheBefore;
  await rm(folder, { recursive: true, force: true });
});

function batchesOf(
  pool: ImagePool,
  weak = 'evaluationcrop',
  strong = 'evaluationcrop',
  alpha?: number,
): ConsistencyBatches {
  const crops = new EvaluationCrops(pool, new CropCache(preprocessing));
  const source = (own: Pick<TrainingBatchesOptions, 'items' | 'batchSize' | 'stage'>, text: string, drawing?: string) =>
    new TrainingBatches(pool, crops, {
      ...own,
      policy: parsePolicy(text),
      ...(drawing !== undefined && { drawing }),
      classes: ['a', 'b'],
      epochs: 3,
      seed: 4,
    });
  const hidden = {
    items: unlabelled.map((image) => ({ ...image, target: 0 })),
    batchSize: SAMPLES * RATIO,
    stage: 'u',
  };
  return new ConsistencyBatches({
    labelled: source(
      { items: labelled.map((image, i) => ({ ...image, target: i % 2 })), batchSize: SAMPLES, stage: 'l' },
      weak,
    ),
    views: [source(hidden, weak, 'weak'), source(hidden, strong, 'strong')],
    stepsPerEpoch: 4,
    ...(alpha !== undefined && {
      mixing: { alpha, seed: 4, stage: 'l', targets: { partner: 'partner', share: 'share' } },
    }),
    numbers: { target: 'image_numbers', of: new Map(unlabelled.map(({ id }, i) => [id, i])) },
  });
}

async function all(batches: ConsistencyBatches, epochs = 3): Promise<ConsistencyBatch[]> {
  const found: ConsistencyBatch[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) for await (const batch of batches.epoch(epoch)) found.push(batch);
  return found;
}

const greys = ({ images }: ConsistencyBatch): number[] =>
  toNumbers(images).filter((_, i) => i % (SIDE * SIDE * 3) === 0);

describe('batches of labelled and unlabelled images', () => {
  it('have each sample together: its labelled image, then the same unlabelled ones in both views', async () => {
    await using pool = await ImagePool.start(preprocessing, { threads: 1 });
    const seen = new Map<number, number>();
    for (const batch of await all(batchesOf(pool))) {
      expect(batch.images.shape).toEqual([SAMPLES * (1 + 2 * RATIO), SIDE, SIDE, 3]);
      const numbers = toNumbers(batch.targets!['image_numbers']!);
      const rows = greys(batch);
      for (let sample = 0; sample < SAMPLES; sample++) {
        const [own, ...views] = rows.slice(sample * 7, (sample + 1) * 7);
        expect((own! - 10) % 2).toBe(toNumbers(batch.labels)[sample]);
        const named = numbers.slice(sample * RATIO, (sample + 1) * RATIO).map((number) => 100 + number);
        expect(views).toEqual([...named, ...named]);
        for (const number of named) seen.set(number, (seen.get(number) ?? 0) + 1);
      }
    }
    // 12 batches of 6 are 6 passes over 11 images, filled up to 12.
    expect(seen.size).toBe(unlabelled.length);
    expect([...seen.values()].every((count) => count >= 6)).toBe(true);
  });

  it('vary the two views of an image each in its own way, though the policy is the same', async () => {
    await using pool = await ImagePool.start(preprocessing, { threads: 1 });
    const policy = 'evaluationcrop|brightness(0.2..1.8)';
    let differ = 0;
    for (const batch of await all(batchesOf(pool, policy, policy), 1)) {
      const rows = greys(batch);
      for (let i = 1; i <= RATIO; i++) if (rows[i] !== rows[i + RATIO]) differ++;
    }
    expect(differ).toBeGreaterThan(8);
  });

  it('have each row again mixed with another, by shares of at least a half that are told', async () => {
    await using pool = await ImagePool.start(preprocessing, { threads: 1 });
    const policy = ['evaluationcrop', 'evaluationcrop', 0.75] as const;
    const plain = await all(batchesOf(pool));
    const each = 1 + 2 * RATIO;
    const shares: number[] = [];
    const found = await all(batchesOf(pool, ...policy));
    for (const [step, batch] of found.entries()) {
      const own = greys(plain[step]!);
      const partners = toNumbers(batch.targets!['partner']!);
      expect(partners.toSorted((a, b) => a - b)).toEqual(own.map((_, i) => i));
      const told = toNumbers(batch.targets!['share']!);
      shares.push(...told);
      const mixed = own.map((grey, i) => Math.round(told[i]! * grey + (1 - told[i]!) * own[partners[i]!]!));
      // Of each sample: the labelled image mixed, both views as they are, both views mixed.
      const expected = Array.from({ length: SAMPLES }, (_, i) => [
        mixed[i * each],
        ...own.slice(i * each + 1, (i + 1) * each),
        ...mixed.slice(i * each + 1, (i + 1) * each),
      ]);
      expect(greys(batch)).toEqual(expected.flat());
    }
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.5);
    // The mean of max(x, 1 - x) for Beta(0.75, 0.75) is 0.778; 168 draws have an error of 0.012.
    expect(Math.abs(shares.reduce((a, b) => a + b) / shares.length - 0.778)).toBeLessThan(0.05);
    expect(await all(batchesOf(pool, ...policy))).toEqual(found);
  });

  it('are the same for any number of threads, from any step, and after an epoch was left', async () => {
    const policies = ['randomcrop(padding=2,fill=edge)|brightness(0.5..1.5)', 'evaluationcrop|cutout'] as const;
    await using one = await ImagePool.start(preprocessing, { threads: 1 });
    await using three = await ImagePool.start(preprocessing, { threads: 3 });
    const expected = await all(batchesOf(one, ...policies));
    expect(await all(batchesOf(three, ...policies))).toEqual(expected);
    const again = batchesOf(three, ...policies);
    // Left in the middle, as by a measurement before training.
    for await (const _ of again.epoch(1)) break;
    expect(await all(again)).toEqual(expected);
    const late: ConsistencyBatch[] = [];
    for await (const batch of batchesOf(one, ...policies).epoch(2, 3)) late.push(batch);
    expect(late).toEqual([expected[7]]);
  });
});
