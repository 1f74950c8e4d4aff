import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackbone } from '../../src/backbones/open.ts';
import { CropCache } from '../../src/batches/crop-cache.ts';
import { EvaluationCrops } from '../../src/batches/evaluation-crops.ts';
import { ImagePool } from '../../src/batches/image-pool.ts';
import { tensor } from '../../src/core/tensor.ts';
import { readDataset } from '../../src/datasets/read.ts';
import { decisions } from '../../src/evaluate/predictions.ts';
import { labelImages, type LabellingInput } from '../../src/labelling/label-images.ts';
import { propagateLabels } from '../../src/labelling/label-propagation.ts';
import { fitLinearProbe } from '../../src/recipes/probe/linear-probe.ts';
import { featuresOnPixels } from '../../src/recipes/networks/network.ts';
import { outputsOf } from '../../src/recipes/results/outputs.ts';
import { Engine } from '../../src/runtime/engine.ts';

const SHARED = new URL('../../../shared/', import.meta.url);
const path = (name: string): string => fileURLToPath(new URL(name, SHARED));

/** A probe on MobileNetV1 0.25, of 50 labelled photos a class, on all others. */
describe.skipIf(!existsSync(SHARED))('photos of clothing (../shared)', () => {
  const before = process.env['GLEANER_CACHE'];
  let cache: string;
  let classes: readonly string[];
  /** Of all photos of the train half. */
  let labels: number[];
  let features: Float32Array;
  let width: number;
  const arms: { isKnown: boolean[]; input: LabellingInput; truth: number[] }[] = [];

  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'gleaner-labelling-'));
    process.env['GLEANER_CACHE'] = cache;
    const data = await readDataset(path('data/clothing'));
    const samples = data.samples.filter(({ split }) => split === 'train');
    classes = data.classes;
    labels = samples.map(({ label }) => label!);
    await using engine = await Engine.start({ device: 'cpu' });
    const backbone = await openBackbone(path('models/mobilenet_v1_0.25_128.onnx'));
    const pool = await ImagePool.start(backbone.preprocessing);
    try {
      const crops = new EvaluationCrops(pool, new CropCache(backbone.preprocessing));
      const graph = featuresOnPixels(backbone.model.graph, backbone.embedding, backbone.preprocessing);
      const computed = await outputsOf(engine, graph, crops, samples, { stage: 'features' });
      width = computed.shape[1]!;
      features = computed.data as Float32Array;
    } finally {
      await pool.dispose();
    }
    const rowsOf = (rows: readonly number[]) => {
      const data = new Float32Array(rows.length * width);
      for (const [at, row] of rows.entries()) data.set(features.subarray(row * width, (row + 1) * width), at * width);
      return data;
    };
    for (const seed of [0, 1]) {
      const list = readFileSync(path(`data/label-lists/clothing-50-per-class-seed${seed}.txt`), 'utf8').split('\n');
      const isKnown = samples.map(({ id }) => list.includes(id));
      const known = Array.from(labels.keys()).filter((i) => isKnown[i]);
      const unknown = Array.from(labels.keys()).filter((i) => !isKnown[i]);
      const own = known.map((i) => labels[i]!);
      const probe = await fitLinearProbe(
        engine,
        tensor('float32', [known.length, width], rowsOf(known)),
        own,
        classes.length,
        {
          foldOf: known.map((_, i) => i % 5),
          strengths: [0.01, 0.1],
        },
      );
      const [weight, bias] = [probe.weight.data as Float32Array, probe.bias.data as Float32Array];
      const logits = Float32Array.from(
        unknown.flatMap((i) =>
          classes.map((_, k) => {
            let sum = bias[k]!;
            for (let f = 0; f < width; f++) sum += features[i * width + f]! * weight[k * width + f]!;
            return sum;
          }),
        ),
      );
      const probabilitiesOf = (z: Float32Array, given: number[]): Float32Array =>
        Float32Array.from(
          decisions({ classes, logits: z, labels: given }).flatMap(({ probabilities }) => [...probabilities]),
        );
      const truth = unknown.map((i) => labels[i]!);
      const held = { probabilities: probabilitiesOf(probe.outOfFold!, own), labels: own };
      arms.push({ isKnown, truth, input: { classes, probabilities: probabilitiesOf(logits, truth), held } });
    }
  }, 600_000);
  afterAll(async () => {
    if (before === undefined) delete process.env['GLEANER_CACHE'];
    else process.env['GLEANER_CACHE'] = before;
    await rm(cache, { recursive: true, force: true });
  });

  it('are labelled as surely as asked', () => {
    for (const { input, truth } of arms) {
      const { labels: given, summary } = labelImages(input, {
        labels: 'hard',
        threshold: { kind: 'expected-error', right: 0.95 },
      });
      const used = [...given.entries()].filter(([, { used }]) => used);
      const right = used.filter(([i, { label }]) => label === truth[i]).length / used.length;
      const accuracy = given.filter(({ label }, i) => label === truth[i]).length / given.length;
      expect(accuracy).toBeLessThan(0.75);
      expect(right).toBeGreaterThan(0.92);
      expect(right).toBeLessThan(0.98);
      expect(used.length / given.length).toBeGreaterThan(0.1);
      expect(Math.abs(summary.meanChance! - accuracy)).toBeLessThan(0.06);
    }
  });

  it('have a class prior far from that of the labelled ones, and it is found', () => {
    for (const { input, truth } of arms) {
      const { prior } = labelImages(input, { labels: 'soft', threshold: { kind: 'none' } });
      const distance = (shares: readonly number[]): number =>
        shares.reduce(
          (sum, share, k) => sum + Math.abs(share - truth.filter((label) => label === k).length / truth.length),
          0,
        );
      const { labels: own } = input.held!;
      const labelled = classes.map((_, k) => own.filter((label) => label === k).length / own.length);
      expect(distance(labelled)).toBeGreaterThan(0.5);
      expect(distance(prior)).toBeLessThan(0.5 * distance(labelled));
    }
  });

  it('take labels from their neighbours, not much worse than from the probe', async () => {
    const [{ isKnown, input, truth }] = arms as [(typeof arms)[0]];
    const known = labels.map((label, i) => (isKnown[i] ? label : undefined));
    const { probabilities } = await propagateLabels(features, width, known, classes.length);
    const unknown = Array.from(labels.keys()).filter((i) => !isKnown[i]);
    const accuracy = (rows: Float32Array): number => {
      const given = labelImages(
        { classes, probabilities: rows },
        { labels: 'hard', threshold: { kind: 'none' } },
      ).labels;
      return given.filter(({ label }, i) => label === truth[i]).length / truth.length;
    };
    const size = classes.length;
    const propagated = accuracy(
      Float32Array.from(unknown.flatMap((i) => [...probabilities.subarray(i * size, (i + 1) * size)])),
    );
    expect(propagated).toBeGreaterThan(accuracy(input.probabilities) - 0.12);
    expect(propagated).toBeGreaterThan(4 / size);
  });
});
