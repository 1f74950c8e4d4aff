import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/augment/policy.ts';
import { AbortedError, InputError, RunError } from '../../src/core/errors.ts';
import { Track } from '../../src/core/profile.ts';
import { randomStream } from '../../src/core/random.ts';
import { CropCache } from '../../src/batches/crop-cache.ts';
import { EvaluationCrops, type ImageSource } from '../../src/batches/evaluation-crops.ts';
import { ImagePool } from '../../src/batches/image-pool.ts';
import type { ThreadChoice } from '../../src/batches/thread-share.ts';
import { TrainingBatches, type TrainingBatchesOptions } from '../../src/batches/training-batches.ts';
import { encodePng } from '../../src/images/encode.ts';
import { cropGraph, parsePreprocessing } from '../../src/models/preprocessing.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { EngineHost } from '../../src/runtime/engine-host.ts';
import { decodeImage } from '../../src/images/decode.ts';
import { tensor, type Tensor } from '../../src/core/tensor.ts';

const SIDE = 16;
const CROP_BYTES = SIDE * SIDE * 3;
const COUNT = 21;
const preprocessing = parsePreprocessing(
  { inputSize: [SIDE, SIDE], mean: [128, 128, 128], std: [128, 128, 128] },
  'test',
);

const folder = mkdtempSync(join(tmpdir(), 'gleaner-batches-'));
const cacheBefore = process.env['GLEANER_CACHE'];
let sources: ImageSource[];

beforeAll(async () => {
  process.env['GLEANER_CACHE'] = join(folder, 'cache');
  await mkdir(join(folder, 'images'));
  sources = [];
  for (let i = 0; i < COUNT; i++) {
    const [width, height] = [17 + i * 3, 60 - i];
    const stream = randomStream('pictures', i);
    const data = Uint8Array.from({ length: width * height * 3 }, () => stream.integer(256));
    const file = join(folder, 'images', `${i}.png`);
    await writeFile(file, await encodePng({ width, height, channels: 3, data }));
    sources.push({ id: `${i}.png`, file, contentKey: `key ${i}`, width, height });
  }
});

afterAll(() => {
  if (cacheBefore === undefined) delete process.env['GLEANER_CACHE'];
  else process.env['GLEANER_CACHE'] = cacheBefore;
  rmSync(folder, { recursive: true, force: true });
});

/** A source that no decoder takes. */
function broken(name: string): ImageSource {
  const file = join(folder, name);
  writeFileSync(file, 'not an image');
  return { id: name, file, contentKey: name, width: 10, height: 10 };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Of a batch. */
function cropOf({ data }: Tensor, row: number): Buffer {
  return Buffer.from((data as Uint8Array).slice(row * CROP_BYTES, (row + 1) * CROP_BYTES));
}

/** The crop by one run of the graph, without pool and cache. */
async function directCrops(list: readonly ImageSource[]): Promise<Uint8Array[]> {
  const { host } = await EngineHost.start('cpu', 1);
  const { id } = await host.load(writeModel({ graph: cropGraph(preprocessing) }), {});
  const results: Uint8Array[] = [];
  for (const { file } of list) {
    const { width, height, data } = await decodeImage(file);
    const feeds = { image: tensor('uint8', [1, height, width, 3], data) };
    const [result] = await host.run([{ session: id, feeds, resident: {}, keep: {}, fetch: ['crop'] }], () => false);
    results.push(result!['crop']!.data as Uint8Array);
  }
  await host.close();
  return results;
}

describe('EvaluationCrops', () => {
  it('gives the crops of the crop graph, in order, whatever the threads and the batch size', async () => {
    const expected = await directCrops(sources);
    for (const [threads, batchSize] of [
      [1, 4],
      [3, 5],
    ] as const) {
      const pool = await ImagePool.start(preprocessing, { threads });
      const crops = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
      const batches = await collect(crops.batches(sources, { batchSize }));
      expect(batches.map(({ positions }) => positions.length)).toEqual([
        ...Array.from({ length: Math.floor(COUNT / batchSize) }, () => batchSize),
        COUNT % batchSize,
      ]);
      expect(batches.flatMap(({ positions }) => positions)).toEqual(sources.map((_, i) => i));
      expect(Buffer.concat(batches.map((batch) => batch.crops.data as Uint8Array))).toEqual(Buffer.concat(expected));
      await pool.dispose();
    }
  });

  it('leaves out what can not be decoded, says why once, and goes on', async () => {
    const pool = await ImagePool.start(preprocessing, { threads: 2 });
    const crops = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
    const list = [sources[0]!, broken('text.jpg'), sources[1]!, broken('text2.jpg')];
    const quarantined: string[] = [];
    const batches = await collect(
      crops.batches(list, {
        batchSize: 2,
        onQuarantined: ({ file, reason }) => quarantined.push(`${file}: ${reason}`),
      }),
    );
    expect(batches.flatMap(({ positions }) => positions)).toEqual([0, 2]);
    expect(quarantined).toEqual([expect.stringMatching(/^text\.jpg: .*not an image/), expect.stringMatching(/^text2/)]);
    await pool.dispose();
  });

  it('takes the second epoch from memory, within the budget', async () => {
    const pool = await ImagePool.start(preprocessing, { threads: 1 });
    const cache = new CropCache(preprocessing, { memoryBytes: 10 * CROP_BYTES, diskBytes: 0 });
    const crops = new EvaluationCrops(pool, cache);
    const first = await crops.crops(sources);
    expect(cache.memoryBytes).toBe(10 * CROP_BYTES);
    await pool.dispose();
    // Without a pool there is the cache alone.
    expect(await crops.crops(sources.slice(0, 10))).toEqual(first.slice(0, 10));
    await expect(crops.crops(sources)).rejects.toThrow(RunError);
  });

  it('takes what was slow to make from disk in the next run, and makes damaged files again', async () => {
    const large = sources.slice(-6).map((source) => ({ ...source, width: 4000, height: 3000 }));
    const pool = await ImagePool.start(preprocessing, { threads: 1 });
    const first = await new EvaluationCrops(pool, new CropCache(preprocessing)).crops(large);
    const again = new EvaluationCrops(pool, new CropCache(preprocessing, { memoryBytes: 0 }));
    const root = join(folder, 'cache', 'images');
    const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files).toHaveLength(large.length);
    for (const { parentPath, name } of files.slice(1)) {
      const path = join(parentPath, name);
      writeFileSync(path, new Uint8Array(CROP_BYTES + 4));
    }
    expect(await again.crops(large)).toEqual(first);
    await pool.dispose();
    const alone = new EvaluationCrops(pool, new CropCache(preprocessing, { memoryBytes: 0 }));
    expect(await alone.crops(large)).toEqual(first);
    // Another geometry is another crop; another mean is not.
    const other = { ...preprocessing, cropFraction: 0.5 };
    await expect(new EvaluationCrops(pool, new CropCache(other)).crops(large)).rejects.toThrow(RunError);
    const shifted = { ...preprocessing, mean: [0, 0, 0] as const };
    expect(await new EvaluationCrops(pool, new CropCache(shifted)).crops(large)).toEqual(first);
  });

  it('stops between batches when the signal fires', async () => {
    const pool = await ImagePool.start(preprocessing, { threads: 1 });
    const crops = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of crops.batches(sources, { batchSize: 2, signal: controller.signal })) controller.abort();
    };
    await expect(run()).rejects.toThrow(AbortedError);
    await pool.dispose();
  });
});

describe('TrainingBatches', () => {
  const options = (changes: Partial<TrainingBatchesOptions> = {}): TrainingBatchesOptions => ({
    items: sources.map((source, i) => ({ ...source, target: i % 3 })),
    batchSize: 8,
    policy: parsePolicy('randomresizedcrop(scale=0.3..1)|flip'),
    classes: ['a', 'b', 'c'],
    epochs: 3,
    seed: 7,
    stage: 'train',
    ...changes,
  });

  async function open(
    changes: Partial<TrainingBatchesOptions> = {},
    threads = 2,
  ): Promise<{ batches: TrainingBatches; pool: ImagePool }> {
    const pool = await ImagePool.start(preprocessing, { threads });
    const evaluation = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
    return { batches: new TrainingBatches(pool, evaluation, options(changes)), pool };
  }

  it('gives the same bytes whatever the threads, the cache and the step it starts at', async () => {
    const one = await open({}, 1);
    const three = await open({}, 3);
    const second = await collect(one.batches.epoch(2));
    expect(second).toHaveLength(3);
    expect(second[0]!.images.shape).toEqual([8, SIDE, SIDE, 3]);
    // The first epoch fills the cache of decoded images of the other.
    await collect(three.batches.epoch(1));
    expect(await collect(three.batches.epoch(2))).toEqual(second);
    expect(await collect(one.batches.epoch(2, 1))).toEqual(second.slice(1));
    await one.pool.dispose();
    await three.pool.dispose();
  });

  it('gives the same bytes of an epoch that was prepared, and of any other', async () => {
    const { batches, pool } = await open();
    const second = await collect(batches.epoch(2));
    batches.prepare(2);
    batches.prepare(2);
    expect(await collect(batches.epoch(2))).toEqual(second);
    batches.prepare(3);
    expect(await collect(batches.epoch(2))).toEqual(second);
    batches.prepare(2, 1);
    expect(await collect(batches.epoch(2))).toEqual(second);
    batches.prepare(2, 1);
    expect(await collect(batches.epoch(2, 1))).toEqual(second.slice(1));
    // What a signal has stopped is made anew.
    const controller = new AbortController();
    batches.prepare(2, 0, controller.signal);
    controller.abort();
    expect(await collect(batches.epoch(2))).toEqual(second);
    await pool.dispose();
  });

  it('gives the same bytes while it takes more threads, and tells of it', async () => {
    const one = await open({ batchSize: 2 }, 1);
    const told: ThreadChoice[] = [];
    const three = await open({ batchSize: 2, onThreads: (choice) => told.push(choice) }, 3);
    // A reader that takes no time is always ahead of the threads.
    for (const epoch of [1, 2, 3])
      expect(await collect(three.batches.epoch(epoch))).toEqual(await collect(one.batches.epoch(epoch)));
    expect(told[0]).toMatchObject({ threads: expect.any(Number), waiting: expect.any(Number) });
    expect(three.pool.trainingShare.threads).toBe(told.at(-1)!.threads);
    expect(one.pool.trainingShare.threads).toBe(1);
    for (const { waiting } of told) expect(waiting).toBeLessThanOrEqual(1);
    await one.pool.dispose();
    await three.pool.dispose();
  });

  it('keeps no more decoded images than all threads together may, and gives the same bytes', async () => {
    const all = await open();
    const track = new Track('batches');
    // Room for some of the images, whichever thread has them.
    const pool = await ImagePool.start(preprocessing, { threads: 2, track, decodedBytes: 20_000 });
    const batches = new TrainingBatches(pool, new EvaluationCrops(pool, new CropCache(preprocessing)), options());
    for (const epoch of [1, 2])
      expect(await collect(batches.epoch(epoch))).toEqual(await collect(all.batches.epoch(epoch)));
    const known = (await pool.profile()).reduce(
      (sum, { totals }) => sum + (totals.get('decoded before')?.images ?? 0),
      0,
    );
    expect(known).toBeGreaterThan(0);
    expect(known).toBeLessThan(48 - COUNT);
    await all.pool.dispose();
    await pool.dispose();
  });

  it('measures what its threads do, where asked to, and hands on the same bytes', async () => {
    const plain = await open();
    const track = new Track('batches');
    const pool = await ImagePool.start(preprocessing, { threads: 2, track });
    const evaluation = new EvaluationCrops(pool, new CropCache(preprocessing, { diskBytes: 0 }));
    const batches = new TrainingBatches(pool, evaluation, options());
    for (const epoch of [1, 2])
      expect(await collect(batches.epoch(epoch))).toEqual(await collect(plain.batches.epoch(epoch)));
    await evaluation.crops(sources);
    await evaluation.crops(sources);
    expect(await plain.pool.profile()).toEqual([]);
    const records = await pool.profile();
    expect(records.map(({ name }) => name)).toEqual(['image decoder 1', 'image decoder 2']);
    const images = (what: string): number =>
      records.reduce((sum, { totals }) => sum + (totals.get(what)?.images ?? 0), 0);
    expect(images('augment')).toBe(48);
    expect(images('decoded before')).toBe(48 - COUNT);
    expect(images('read')).toBe(2 * COUNT);
    expect(images('decode')).toBe(2 * COUNT);
    expect(images('crop graph')).toBe(COUNT);
    const { totals, levels } = track.record();
    expect(totals.get('assemble')).toMatchObject({ calls: 6, images: 48 });
    expect(totals.get('cropped before')).toMatchObject({ images: COUNT });
    expect(levels).toHaveLength(6);
    await plain.pool.dispose();
    await pool.dispose();
  });

  it('shows every image in an epoch, in another order and another crop in the next, filled up from its start', async () => {
    const { batches, pool } = await open();
    const epochs = [await collect(batches.epoch(1)), await collect(batches.epoch(2))];
    const ids = epochs.map((epoch) => epoch.flatMap((batch) => batch.ids));
    for (const list of ids) {
      expect(list).toHaveLength(24);
      expect(new Set(list).size).toBe(COUNT);
      expect(list.slice(COUNT)).toEqual(list.slice(0, 3));
    }
    expect(ids[0]).not.toEqual(ids[1]);
    const labels = epochs[0]!.flatMap((batch) => [...(batch.labels.data as BigInt64Array)].map(Number));
    expect(labels).toEqual(ids[0]!.map((id) => Number.parseInt(id, 10) % 3));
    const pixelsOf = (epoch: number, at: number): Uint8Array =>
      (epochs[epoch]![Math.floor(at / 8)]!.images.data as Uint8Array).subarray(
        (at % 8) * CROP_BYTES,
        ((at % 8) + 1) * CROP_BYTES,
      );
    const id = ids[0]![0]!;
    expect(pixelsOf(0, 0)).not.toEqual(pixelsOf(0, COUNT));
    expect(pixelsOf(0, 0)).not.toEqual(pixelsOf(1, ids[1]!.indexOf(id)));
    await pool.dispose();
  });

  it('repeats one part of the images so that it has its share of every batch, varied anew, with weights', async () => {
    const items = sources
      .toReversed()
      .map((source, i) =>
        i < 3 ? { ...source, target: i } : { ...source, target: Float32Array.of(0.5, 0.25, 0.25), weight: i / COUNT },
      );
    const parts = [
      { count: 3, draws: 8 },
      { count: COUNT - 3, draws: 8 },
    ];
    const { batches, pool } = await open({ items, parts, batchSize: 4, classes: ['a', 'b', 'c'] });
    expect(batches.stepsPerEpoch).toBe(4);
    const epoch = await collect(batches.epoch(1));
    const crops = new Set<string>();
    for (const { ids, images, labels, sampleWeights } of epoch) {
      expect(ids.filter((id) => Number.parseInt(id, 10) >= COUNT - 3)).toHaveLength(2);
      expect(labels.shape).toEqual([4, 3]);
      for (const [i, id] of ids.entries()) {
        const at = COUNT - 1 - Number.parseInt(id, 10);
        crops.add(cropOf(images, i).toString('base64'));
        expect([...(labels.data as Float32Array).subarray(i * 3, i * 3 + 3)]).toEqual(
          at < 3 ? [0, 1, 2].map((k) => (k === at ? 1 : 0)) : [0.5, 0.25, 0.25],
        );
        expect((sampleWeights!.data as Float32Array)[i]).toBeCloseTo(at < 3 ? 1 : at / COUNT, 6);
      }
    }
    // Three images stand in 8 places, and none looks like another.
    expect(crops.size).toBe(16);
    expect(await collect(batches.epoch(1, 2))).toEqual(epoch.slice(2));
    expect(() => new TrainingBatches(pool, undefined as never, options({ items, parts: [parts[0]!] }))).toThrow(
      /parts/,
    );
    await pool.dispose();
  });

  it('gives the crops of evaluation, half of them mirrored, without random crops', async () => {
    const plain = await open({ policy: parsePolicy('') });
    const flipped = await open({ policy: parsePolicy('evaluationcrop|flip') });
    const expected = new Map((await directCrops(sources)).map((pixels, i) => [sources[i]!.id, pixels] as const));
    const mirrored = (pixels: Uint8Array): Uint8Array =>
      pixels.map((_, i) => {
        const [row, x, c] = [Math.floor(i / (SIDE * 3)), Math.floor(i / 3) % SIDE, i % 3];
        return pixels[(row * SIDE + SIDE - 1 - x) * 3 + c]!;
      });
    let mirrors = 0;
    for (const [batches, mayMirror] of [
      [plain.batches, false],
      [flipped.batches, true],
    ] as const)
      for await (const { images, ids } of batches.epoch(1))
        for (const [i, id] of ids.entries()) {
          const pixels = (images.data as Uint8Array).slice(i * CROP_BYTES, (i + 1) * CROP_BYTES);
          const isMirrored = Buffer.compare(pixels, expected.get(id)!) !== 0;
          expect(pixels).toEqual(isMirrored && mayMirror ? mirrored(expected.get(id)!) : expected.get(id)!);
          if (isMirrored) mirrors++;
        }
    expect(mirrors).toBeGreaterThan(5);
    expect(mirrors).toBeLessThan(19);
    await plain.pool.dispose();
    await flipped.pool.dispose();
  });

  it('has several views of each image that differ in augmix alone, the first of them without it', async () => {
    const crop = 'randomresizedcrop(scale=0.3..1)|flip';
    for (const [policy, without] of [
      [`${crop}|augmix(10)|brightness(0.3)`, `${crop}|brightness(0.3)`],
      ['evaluationcrop|flip|augmix(10)', 'evaluationcrop|flip'],
    ] as const) {
      const one = await open({ policy: parsePolicy(without) });
      const three = await open({ policy: parsePolicy(policy), views: 3 });
      const single = await collect(one.batches.epoch(1));
      const several = await collect(three.batches.epoch(1));
      const seen = new Set<string>();
      for (const [step, { images, labels, ids }] of several.entries()) {
        const plain = single[step]!;
        expect(images.shape).toEqual([24, SIDE, SIDE, 3]);
        expect([labels, ids]).toEqual([plain.labels, plain.ids]);
        for (let i = 0; i < 8; i++) {
          const [clean, ...drawn] = [0, 1, 2].map((view) => cropOf(images, i * 3 + view));
          expect(clean!.equals(cropOf(plain.images, i))).toBe(true);
          for (const pixels of drawn) {
            expect(pixels.equals(clean!)).toBe(false);
            seen.add(pixels.toString('base64'));
          }
        }
      }
      expect(seen.size).toBe(2 * 24);
      // Known from the key alone, and made again.
      const other = await open({ policy: parsePolicy(policy), views: 3 }, 1);
      expect(await collect(other.batches.epoch(1, 1))).toEqual(several.slice(1));
      const { id } = sources[4]!;
      for (const { step, places, batch } of await other.batches.replay(1, id)) {
        expect(batch).toEqual(several[step]);
        for (const place of places) expect(batch.ids[place]).toBe(id);
      }
      for (const { pool } of [one, three, other]) await pool.dispose();
    }
  });

  it('decodes an image once for all its views, and fills the place of a broken one with all of the next', async () => {
    const items = [...options().items, { ...broken('third.jpg'), target: 0 }];
    const track = new Track('batches');
    const pool = await ImagePool.start(preprocessing, { threads: 2, track, decodedBytes: 0 });
    const given = options({ items, policy: parsePolicy('randomresizedcrop|augmix'), views: 3 });
    const batches = new TrainingBatches(pool, new EvaluationCrops(pool, new CropCache(preprocessing)), given);
    const all = await collect(batches.epoch(1));
    const decoded = (await pool.profile()).reduce((sum, { totals }) => sum + (totals.get('decode')?.images ?? 0), 0);
    // Those of the epoch, and once the broken one.
    expect(decoded).toBe(24 + 1);
    for (const { images, ids } of all) {
      expect(ids).not.toContain('third.jpg');
      for (let row = 0; row < 24; row++) expect(cropOf(images, row).some((value) => value !== 0)).toBe(true);
    }
    await pool.dispose();
  });

  it('refuses several views where there is no augmix, or images are mixed', () => {
    for (const text of ['randomresizedcrop|flip', 'randomresizedcrop|augmix|mixup'])
      expect(() => new TrainingBatches(undefined as never, undefined as never, { ...options(), policy: parsePolicy(text), views: 3 })).toThrow('need "augmix" and nothing that mixes'); // prettier-ignore
  });

  it('hands on soft labels', async () => {
    const items = sources.map((source, i) => ({ ...source, target: Float32Array.of(i / 32, 1 - i / 32) }));
    const { batches, pool } = await open({ items, batchSize: 4 });
    for await (const { labels, ids } of batches.epoch(1)) {
      expect(labels.shape).toEqual([4, 2]);
      expect([...(labels.data as Float32Array)]).toEqual(
        ids.flatMap((id) => [...items[Number.parseInt(id, 10)]!.target]),
      );
    }
    await pool.dispose();
    const wider = [items[0]!, { ...sources[1]!, target: new Float32Array(3) }];
    expect(() => new TrainingBatches(pool, undefined as never, options({ items: wider }))).toThrow(/same classes/);
  });

  it('fills the place of a broken image with the next, the same in every run, and says so once', async () => {
    const items = [...options().items, { ...broken('late.jpg'), target: 0 }, { ...broken('later.jpg'), target: 0 }];
    const quarantined: string[] = [];
    const changes = { items, onQuarantined: ({ file }: { file: string }) => quarantined.push(file) };
    const one = await open(changes);
    const first = await collect(one.batches.epoch(1));
    const second = await collect(one.batches.epoch(2));
    expect(quarantined.toSorted()).toEqual(['late.jpg', 'later.jpg']);
    const ids = first.flatMap((batch) => batch.ids);
    expect(ids).toHaveLength(24);
    expect(ids).not.toContain('late.jpg');
    expect(new Set(ids).size).toBe(COUNT);
    const other = await open({ items });
    expect(await collect(other.batches.epoch(2))).toEqual(second);
    await one.pool.dispose();
    await other.pool.dispose();
  });

  it('ends with an error where no image can be decoded', async () => {
    const { batches, pool } = await open({ items: [{ ...broken('only.jpg'), target: 0 }], batchSize: 2 });
    await expect(collect(batches.epoch(1))).rejects.toThrow(InputError);
    await pool.dispose();
  });

  it('stops when the signal fires, and is ready for another epoch', async () => {
    const { batches, pool } = await open({ batchSize: 2 });
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of batches.epoch(1, 0, controller.signal)) controller.abort();
    };
    await expect(run()).rejects.toThrow(AbortedError);
    expect(await collect(batches.epoch(1))).toHaveLength(batches.stepsPerEpoch);
    await pool.dispose();
  });

  it('fails, and does not hang, when a thread is gone', async () => {
    const { batches, pool } = await open({ batchSize: 2 });
    const run = async (): Promise<void> => {
      for await (const _ of batches.epoch(1)) await pool.dispose();
    };
    await expect(run()).rejects.toThrow();
  });
});
