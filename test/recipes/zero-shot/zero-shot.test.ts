import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackbone } from '../../../src/backbones/open.ts';
import { tensor } from '../../../src/core/tensor.ts';
import { Predictor } from '../../../src/export/predict.ts';
import { featureExtractor } from '../../../src/models/head.ts';
import { openTeacher } from '../../../src/recipes/distillation/teacher.ts';
import { zeroShot, type ZeroShotOptions } from '../../../src/recipes/zero-shot/zero-shot.ts';
import { loadModel } from '../../../src/onnx/read.ts';
import { runGraph } from '../../models/run-graph.ts';
import { lastJson, runGleaner } from '../../support/run-gleaner.ts';
import { writeColourData } from '../../support/colour-data.ts';

/** A small network of the shape of CLIP's image side. */
const CLIP = fileURLToPath(new URL('../../backbones/golden/clip', import.meta.url));
const WIDTH = 12;
/** What stands for a text side: numbers by the letters of a text. */
const meaning = (text: string): Float32Array =>
  Float32Array.from(
    { length: WIDTH },
    (_, i) =>
      Math.sin(i + 1) +
      [...text].reduce((sum, letter, at) => sum + Math.cos(letter.codePointAt(0)! * (i + 1) * (at + 1)), 0),
  );

let folder: string;
let asked: string[];
const encodeTexts = async (texts: readonly string[]): Promise<Float32Array[]> => {
  asked.push(...texts);
  return texts.map(meaning);
};
const make = (options: Partial<ZeroShotOptions>) => {
  asked = [];
  return zeroShot({
    backbone: CLIP,
    classes: ['red_one', 'blue'],
    encodeTexts,
    out: join(folder, 'zero.onnx'),
    ...options,
  });
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-zero-shot-'));
  await writeColourData(join(folder, 'data'), { train: 4, test: 4, unlabeled: 12 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const unit = (x: readonly number[]): number[] => x.map((value) => value / Math.hypot(...x));
const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

describe('a classifier from the names of classes', () => {
  it('says the softmax of scaled cosines between an image and the mean direction of what is said of a class', async () => {
    const { file, prompts } = await make({ templates: ['a {}.', 'the {}!'], logitScale: 20 });
    expect(prompts).toEqual([
      ['a red one.', 'the red one!'],
      ['a blue.', 'the blue!'],
    ]);
    expect(asked).toEqual(prompts!.flat());
    const { model, embedding } = await openBackbone(CLIP);
    const extractor = featureExtractor(model.graph, embedding);
    const { graph } = await loadModel(file);
    const image = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * 7919) % 256);
    // The image as it is: 32 pixels are what the network wants. Normalised as the processor says.
    const { preprocessing } = await openBackbone(CLIP);
    const input = new Float32Array(image.length);
    for (let n = 0; n < 2; n++)
      for (let at = 0; at < 1024; at++)
        for (let c = 0; c < 3; c++)
          input[n * 3072 + c * 1024 + at] =
            (image[n * 3072 + at * 3 + c]! - preprocessing.mean[c]!) / preprocessing.std[c]!;
    const embedded = (await runGraph(extractor.graph, tensor('float32', [2, 3, 32, 32], input)))[extractor.embedding]!
      .data as Float32Array;
    const directions = prompts!.map((texts) => {
      const units = texts.map((text) => unit([...meaning(text)]));
      return unit(units[0]!.map((x, i) => x + units[1]![i]!));
    });
    const ort = await import('onnxruntime-node');
    const session = await ort.InferenceSession.create(await readFile(file), { logSeverityLevel: 3 });
    const { probabilities, logits } = await session.run({ image: new ort.Tensor('uint8', image, [2, 32, 32, 3]) });
    await session.release();
    expect(graph.outputs.map(({ name }) => name)).toContain('probabilities');
    for (let n = 0; n < 2; n++) {
      const cosines = directions.map((direction) =>
        dot(direction, unit(Array.from(embedded.subarray(n * WIDTH, (n + 1) * WIDTH)))),
      );
      for (const [k, cosine] of cosines.entries())
        expect((logits!.data as Float32Array)[n * 2 + k]).toBeCloseTo(20 * cosine, 3);
      const e = cosines.map((cosine) => Math.exp(20 * cosine));
      expect((probabilities!.data as Float32Array)[n * 2]).toBeCloseTo(e[0]! / (e[0]! + e[1]!), 4);
    }
  });

  it('is a file as any other: it predicts, and teaches', async () => {
    const { file } = await zeroShot({
      backbone: CLIP,
      data: join(folder, 'data'),
      encodeTexts,
      out: join(folder, 'zero.onnx'),
    });
    await using predictor = await Predictor.open(file, { device: 'cpu', threads: 1 });
    expect(predictor.classes).toEqual(['blue', 'green', 'red']);
    const teacher = await openTeacher(file, {}, {});
    expect(teacher).toMatchObject({ classes: ['blue', 'green', 'red'], width: WIDTH });
  });

  it.each<[string, Partial<ZeroShotOptions>, RegExp]>([
    ['one class', { classes: ['red'] }, /At least two classes.*got 1/],
    ['a class twice', { classes: ['red', 'red'] }, /"red" is named twice/],
    ['a template without a place', { templates: ['a photo'] }, /"a photo" has no place/],
    ['a scale of nothing', { logitScale: 0 }, /logit scale must be over 0, got 0/],
    [
      'texts of another width',
      { encodeTexts: async (texts) => texts.map(() => new Float32Array(7).fill(1)) },
      /has 7 numbers.*images 12/,
    ],
    [
      'texts that say nothing',
      { encodeTexts: async (texts) => texts.map(() => new Float32Array(WIDTH)) },
      /"red_one" has no direction/,
    ],
  ])('refuses %s', async (_, options, message) => {
    await expect(make(options)).rejects.toThrow(message);
  });
});

describe('gleaner zero-shot', () => {
  const run = (...flags: string[]) =>
    runGleaner(['zero-shot', '--json', '--backbone', CLIP, '--out', join(folder, 'cli.onnx'), ...flags]);

  it('takes what another program made of the names, and its file teaches a student without a label', async () => {
    const texts = join(folder, 'texts.json');
    await writeFile(
      texts,
      JSON.stringify(Object.fromEntries(['blue', 'green', 'red'].map((name) => [name, [...meaning(name)]]))),
    );
    const made = await run('--text-embeddings', texts, join(folder, 'data'));
    expect(made.code, made.stderr).toBe(0);
    expect(lastJson(made)).toMatchObject({ classes: ['blue', 'green', 'red'] });
    const taught = await runGleaner(
      `distill ${join(folder, 'data', 'unlabeled')} --teacher ${join(folder, 'cli.onnx')} --student digits --epochs 2 --batch-size 6 --threads 1 --json --out ${join(folder, 'student')}`.split(
        ' ',
      ),
    );
    expect(taught.code, taught.stderr).toBe(0);
    expect(lastJson(taught)).toMatchObject({ accuracy: null });
    await writeFile(texts, JSON.stringify({ blue: [1], green: [2] }));
    const refused = await run('--text-embeddings', texts, join(folder, 'data'));
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/nothing for the class "red"; it has blue, green/),
    ]);
  }, 60_000);

  it('says which package reads the names, where it is not installed', async () => {
    const { code, stderr } = await run('--classes', 'red,blue');
    expect([code, stderr]).toEqual([2, expect.stringContaining('npm install @huggingface/transformers')]);
  });
});
