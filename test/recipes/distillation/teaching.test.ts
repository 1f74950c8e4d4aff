import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../../src/augment/policy.ts';
import { CropCache } from '../../../src/batches/crop-cache.ts';
import { EvaluationCrops } from '../../../src/batches/evaluation-crops.ts';
import { ImagePool } from '../../../src/batches/image-pool.ts';
import { TrainingBatches } from '../../../src/batches/training-batches.ts';
import { toNumbers, type Tensor } from '../../../src/core/tensor.ts';
import { readDataset } from '../../../src/datasets/read.ts';
import type { Sample } from '../../../src/datasets/dataset.ts';
import { parsePreprocessing } from '../../../src/models/preprocessing.ts';
import { buildModel } from '../../../src/models/registry.ts';
import { writeModel } from '../../../src/onnx/write.ts';
import { onPixels, type Network } from '../../../src/recipes/networks/network.ts';
import { COMPARED, taughtStudent } from '../../../src/recipes/distillation/taught-student.ts';
import { ImagesBySize } from '../../../src/recipes/training/smaller-images.ts';
import { TaughtImages, teachingBytes, type Teaching } from '../../../src/recipes/distillation/teaching.ts';
import type { Teacher } from '../../../src/recipes/distillation/teacher.ts';
import { trainingSteps } from '../../../src/recipes/training/training-steps.ts';
import { planTraining } from '../../../src/recipes/training/training-plan.ts';
import { resolveTrainOptions } from '../../../src/recipes/train-options.ts';
import type { Workshop } from '../../../src/recipes/workshop/workshop.ts';
import { Engine } from '../../../src/runtime/engine.ts';
import type { TrainingBatch } from '../../../src/train/batch-source.ts';
import { compileStep } from '../../../src/train/compile-step.ts';
import { TEACHER, type DistillationLoss } from '../../../src/train/distillation-objective.ts';
import { writeColourData } from '../../support/colour-data.ts';

const CLASSES = ['blue', 'green', 'red'];
const LOSS: DistillationLoss = {
  name: 'distillation',
  answers: 'kd',
  temperature: 4,
  alpha: 0.9,
  hard: false,
  taught: { width: 3 },
};
const input = (side: number) =>
  parsePreprocessing({ inputSize: [side, side], mean: [127, 120, 110], std: [60, 61, 62] }, 'test');

let folder: string;
let engine: Engine;
let pool: ImagePool;
let samples: readonly Sample[];
let workshop: Workshop;
const before = process.env['GLEANER_CACHE'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-teaching-'));
  process.env['GLEANER_CACHE'] = join(folder, 'cache');
  await writeColourData(join(folder, 'data'), { train: 3, test: 1 });
  ({ samples } = await readDataset(join(folder, 'data')));
  engine = await Engine.start({ device: 'cpu', threads: 1 });
  pool = await ImagePool.start(input(16), { threads: 1 });
  const crops = new EvaluationCrops(pool, new CropCache(input(16)));
  workshop = { engine, pool, crops, record: () => {} } as unknown as Workshop;
});
afterAll(async () => {
  await pool.dispose();
  await engine.dispose();
  if (before === undefined) delete process.env['GLEANER_CACHE'];
  else process.env['GLEANER_CACHE'] = before;
  await rm(folder, { recursive: true, force: true });
});

function network(side: number, seed: number): Network {
  const { graph } = buildModel('digits', { classes: 3, inputSize: side, width: 4, seed, dropout: 0 });
  return { graph, input: 'input', logits: 'logits', preprocessing: input(side), head: [] };
}

function teacher(side: number, seed: number): Teacher {
  const { graph } = network(side, seed);
  // Far from the student's own, and small, so that the answers to two images differ by far.
  const preprocessing = { ...input(side), mean: [90, 120, 140], std: [4, 5, 6] } as const;
  const values = { logits: 'logits', embedding: 'embedding' };
  return { graph, values, preprocessing, classes: CLASSES, width: 8, source: `teacher ${seed}`, sha256: `${seed}` };
}

const teaching = (teachers: readonly Teacher[], once: boolean): Teaching => ({
  loss: LOSS,
  teachers,
  question: { temperature: 4, mappings: undefined },
  once,
});

/** All batches of some epochs. */
async function batches(how: Teaching, policy: string, epochs: readonly number[]): Promise<TrainingBatch[]> {
  await using images = new ImagesBySize(workshop, 1e8);
  await using taught = await TaughtImages.open(workshop, images, how, samples, 1e8);
  const step = { images: { kind: 'pixels', preprocessing: input(16) } } as const;
  const source = await taught.source(step, (drawing) => {
    return new TrainingBatches(drawing.pool, drawing.crops, {
      items: samples.map((sample) => ({ ...sample, target: new Float32Array(3) })),
      batchSize: 5,
      policy: parsePolicy(policy),
      classes: CLASSES,
      epochs: 9,
      seed: 1,
      stage: 'test',
    });
  });
  const found: TrainingBatch[] = [];
  for (const epoch of epochs) for await (const batch of source.epoch(epoch, 0)) found.push(batch);
  return found;
}

async function logitsOf({ graph, preprocessing }: Pick<Network, 'graph' | 'preprocessing'>, crop: Tensor) {
  const session = await engine.load(writeModel({ graph: onPixels(graph, 'logits', preprocessing) }), { name: 'alone' });
  const { logits } = await engine.run(session, { feeds: { crop } });
  await session.release();
  return toNumbers(logits!);
}

describe('what teachers take of memory beside a step', () => {
  const weightsOf = ({ graph }: Teacher): number =>
    [...graph.initializers.values()].reduce(
      (sum, { dtype, data }) => sum + (dtype === 'float32' ? 4 * data.length : 0),
      0,
    );

  it('is their weights and values, of larger images more, and nothing where all is said before', () => {
    const [small, large] = [teacher(16, 7), teacher(28, 7)];
    const bytes = teachingBytes(teaching([small], false), input(16));
    // Of 32 crops, at least the first convolution's output of 4 channels.
    expect(bytes).toBeGreaterThan(weightsOf(small) + 4 * 32 * 4 * 16 * 16);
    expect(teachingBytes(teaching([large], false), input(16))).toBeGreaterThan(2 * bytes);
    expect(teachingBytes(teaching([small, small], false), input(16))).toBeGreaterThan(bytes + weightsOf(small));
    expect(teachingBytes(teaching([large], true), input(16))).toBe(0);
    expect(teachingBytes({ ...teaching([], false), said: new Map() }, input(16))).toBe(0);
  });
});

describe('what was said before', () => {
  it('comes with its image, and nobody is asked', async () => {
    const said = new Map(samples.map(({ id }, i) => [id, Float32Array.of(i, i + 0.25, -i)]));
    const found = await batches({ ...teaching([], true), said }, 'randomresizedcrop', [1]);
    expect(found).toHaveLength(3);
    for (const { ids, targets } of found)
      expect(toNumbers(targets![TEACHER.logits]!)).toEqual(ids.flatMap((id) => [...said.get(id)!]));
  });
});

describe('a teacher asked about what the student sees', () => {
  it('sees the very pixels, mixed or not, and says of them what it says alone', async () => {
    const one = teacher(16, 7);
    for (const policy of ['randomresizedcrop|flip', 'randomresizedcrop|cutmix(1)']) {
      const found = await batches(teaching([one], false), policy, [1, 2]);
      expect(found).toHaveLength(6);
      for (const { images, targets } of found) {
        expect(images.shape).toEqual([5, 16, 16, 3]);
        const alone = await logitsOf(one, images);
        expect(toNumbers(targets![TEACHER.logits]!)).toEqual(alone.map((x) => expect.closeTo(x, 4)));
      }
    }
  });

  it('makes crops at the larger side, of which the student gets the same at its own', async () => {
    const [small, large] = [teacher(16, 7), teacher(28, 7)];
    const [own] = await batches(teaching([small], false), 'randomresizedcrop(scale=0.5..1)|flip', [1]);
    const [drawn] = await batches(teaching([large], false), 'randomresizedcrop(scale=0.5..1)|flip', [1]);
    expect(drawn!.images.shape).toEqual([5, 16, 16, 3]);
    expect(drawn!.ids).toEqual(own!.ids);
    // One drawing at two sizes: the same region and flip, but for how it is resampled. The tiles are noise: another region
    // of one would be as far away as its mirror image.
    const apart = (left: readonly number[], right: readonly number[]): number =>
      left.reduce((sum, x, i) => sum + Math.abs(x - right[i]!), 0) / left.length;
    const [a, b] = [toNumbers(own!.images), toNumbers(drawn!.images)];
    const mirrored = b.map((_, i) => b[i - (i % 48) + (15 - Math.floor((i % 48) / 3)) * 3 + (i % 3)]!);
    expect(apart(a, b)).toBeLessThan(0.7 * apart(a, mirrored));
  });

  it('gives the same batches whatever was asked for before', async () => {
    const how = teaching([teacher(28, 7)], false);
    const policy = 'randomresizedcrop|mixup(0.4)';
    const [all, second] = [await batches(how, policy, [1, 2]), await batches(how, policy, [2])];
    expect(second).toEqual(all.slice(3));
  });
});

describe('a teacher asked once', () => {
  it('answers by the image, never by its place, as evaluation shows it', async () => {
    const one = teacher(28, 7);
    const found = await batches(teaching([one], true), 'randomresizedcrop|flip', [1, 2]);
    const crops = await ImagePool.start(input(28), { threads: 1 });
    const told = new Map<string, number[]>();
    for (const { id, file } of samples) {
      const [crop] = await crops.evaluationCrops([file]);
      if ('error' in crop!) throw new Error(crop.error);
      told.set(id, await logitsOf(one, { dtype: 'uint8', shape: [1, 28, 28, 3], data: crop!.pixels }));
    }
    await crops.dispose();
    expect(new Set(found.map(({ ids }) => ids.join(' '))).size).toBe(6);
    for (const { ids, targets } of found)
      for (const [i, id] of ids.entries()) {
        const row = toNumbers(targets![TEACHER.logits]!).slice(3 * i, 3 * i + 3);
        // float16 on disk: 11 bits.
        const near = (x: number): number => 2 ** -10 * Math.max(1, Math.abs(x));
        for (const [k, x] of told.get(id)!.entries()) expect(Math.abs(row[k]! - x)).toBeLessThan(near(x));
        // Of no other image is it the answer.
        const others = [...told].filter(([other]) => other !== id).map(([, logits]) => logits);
        for (const logits of others) expect(logits.some((x, k) => Math.abs(row[k]! - x) > 4 * near(x))).toBe(true);
      }
    // From the cache the same bytes, of the same teacher alone.
    expect(await batches(teaching([one], true), 'randomresizedcrop|flip', [1, 2])).toEqual(found);
    const [other] = await batches(teaching([teacher(28, 8)], true), 'randomresizedcrop|flip', [1]);
    expect(other!.targets).not.toEqual(found[0]!.targets);
  });
});

describe('the step that teaches', () => {
  const options = resolveTrainOptions({ data: 'x', batchSize: 4 });
  const compiled = (loss: DistillationLoss) => {
    const student = taughtStudent(network(16, 1), loss, 3);
    const plan = planTraining(options, 'scratch', 8);
    const { phases } = trainingSteps(student, plan, options, [], 3, { kind: 'plain' }, { unlabeled: 8, loss });
    return { student, compiled: compileStep(phases[0]!.step) };
  };

  it('trains the student’s parameters alone: the teacher is an input and none of its weights is there', () => {
    const { compiled: step } = compiled(LOSS);
    const own = network(16, 1).graph.initializers;
    const trained = step.parameters.flatMap(({ members }) => members.map(({ name }) => name));
    expect(trained.length).toBeGreaterThan(5);
    for (const name of trained) expect(own.has(name), name).toBe(true);
    const weights = [...teacher(16, 7).graph.initializers.values()].map(({ data }) => String(data));
    const held = new Set([...step.pass.initializers.values()].map(({ data }) => String(data)));
    for (const weight of weights.filter((text) => text.length > 200)) expect(held.has(weight)).toBe(false);
    expect(step.pass.inputs.map(({ name }) => name)).toContain(`step/target/${TEACHER.logits}`);
  });

  it('trains a second head and a projection, which nothing that is exported reads', () => {
    const loss: DistillationLoss = {
      ...LOSS,
      taught: { width: 7, head: COMPARED.head },
      features: { loss: 'hint', weight: 1, output: COMPARED.features, shape: [5] },
    };
    const { student, compiled: step } = compiled(loss);
    const trained = step.parameters.flatMap(({ members }) => members.map(({ name }) => name));
    const added = ['distillation.head.bias', 'distillation.head.weight', 'distillation.projection'];
    expect(trained.filter((name) => name.startsWith('distillation')).toSorted()).toEqual(added);
    expect(student.graph.initializers.get('distillation.head.weight')!.shape[0]).toBe(7);
    const exported = onPixels(student.graph, student.logits, student.preprocessing);
    expect([...exported.initializers.keys()].filter((name) => name.includes('distillation'))).toEqual([]);
  });

  it.each(['rkd', 'crd', 'cosine'] as const)('compares features by %s', (features) => {
    const loss: DistillationLoss = {
      ...LOSS,
      features: { loss: features, weight: 1, output: COMPARED.features, shape: [5] },
    };
    expect(() => compiled(loss)).not.toThrow();
  });

  it('compares where both look', () => {
    const loss: DistillationLoss = {
      ...LOSS,
      features: { loss: 'attention', weight: 1000, output: COMPARED.features, shape: [1, 3, 3] },
    };
    expect(() => compiled(loss)).not.toThrow();
  });
});
