import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, InputError, ModelError } from '../../src/core/errors.ts';
import { bareModel, deployableGraph, deployableModel } from '../../src/export/deployable.ts';
import { Predictor, type Prediction } from '../../src/export/predict.ts';
import { encodeJpeg, encodePng } from '../../src/images/encode.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { photo, smallParts } from './small-network.ts';

const folder = mkdtempSync(join(tmpdir(), 'gleaner-predict-'));
const model = join(folder, 'model.onnx');
const photos = join(folder, 'photos');
const text = join(folder, 'text.jpg');

beforeAll(async () => {
  await mkdir(join(photos, 'deep'), { recursive: true });
  writeFileSync(model, deployableModel(smallParts()).bytes);
  for (const [name, width, height] of [
    ['a.png', 33, 51],
    ['b.png', 120, 64],
    ['deep/c.png', 19, 19],
  ] as const)
    writeFileSync(join(photos, name), await encodePng({ ...photo(width, height, width), channels: 3 }));
  writeFileSync(join(photos, 'notes.txt'), 'notes');
  writeFileSync(join(photos, 'wrong.png'), await encodeJpeg({ ...photo(40, 40), channels: 3 }));
  writeFileSync(text, 'text');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('Predictor', () => {
  it('softens probabilities: more even as T grows, the same class ahead, and at T = 1 as they are', async () => {
    await using predictor = await Predictor.open(model);
    const temperatures = [0.5, 1, 2, 4, 10, 1000];
    const answers = await predictor.predict([photos], { temperatures });
    for (const answer of answers as Prediction[]) {
      const softened = answer.softened!;
      expect(softened.map(({ temperature }) => temperature)).toEqual(temperatures);
      const p = Object.values(answer.probabilities);
      for (const [i, { temperature, probabilities, entropy }] of softened.entries()) {
        const shares = Object.values(probabilities);
        const powers = p.map((x) => x ** (1 / temperature));
        const sum = powers.reduce((a, b) => a + b);
        expect(shares).toEqual(powers.map((x) => expect.closeTo(x / sum, 9)));
        expect(entropy).toBeCloseTo(-shares.reduce((total, x) => total + x * Math.log(x), 0), 9);
        expect(shares.indexOf(Math.max(...shares))).toBe(predictor.classes.indexOf(answer.label));
        if (i > 0) expect(entropy).toBeGreaterThan(softened[i - 1]!.entropy);
      }
      expect(softened[1]!.probabilities).toEqual(
        Object.fromEntries(predictor.classes.map((name, k) => [name, expect.closeTo(p[k]!, 6)])),
      );
    }
    expect((await predictor.predict([join(photos, 'a.png')]))[0]).not.toHaveProperty('softened');
    await expect(predictor.predict([photos], { temperatures: [0] })).rejects.toThrow(/over 0, got 0/);
  });

  it('answers for files, folders and bytes, in order, with one line for each bad file', async () => {
    await using predictor = await Predictor.open(model);
    expect(predictor.classes).toEqual(smallParts().classes);
    const bytes = await readFile(join(photos, 'b.png'));
    const answers = await predictor.predict([join(photos, 'b.png'), text, bytes, photos, join(folder, 'missing.jpg')]);
    expect(answers.map(({ file }) => file)).toEqual([
      join(photos, 'b.png'),
      text,
      'image 3',
      join(photos, 'a.png'),
      join(photos, 'b.png'),
      join(photos, 'deep', 'c.png'),
      join(photos, 'wrong.png'),
      join(folder, 'missing.jpg'),
    ]);
    expect(answers[1]).toEqual({ file: text, error: expect.stringContaining('not an image') });
    expect(answers[7]).toEqual({ file: join(folder, 'missing.jpg'), error: expect.stringContaining('no such file') });
    const [b, , fromBytes, , again, , wrong] = answers as Prediction[];
    expect({ ...fromBytes, file: '' }).toEqual({ ...b, file: '' });
    expect(again).toEqual(b);
    expect(wrong!.warnings).toEqual([expect.stringMatching(/JPEG/)]);

    const values = Object.values(b!.probabilities);
    expect(Object.keys(b!.probabilities)).toEqual(smallParts().classes);
    expect(values.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(b!.probability).toBe(Math.max(...values));
    expect(b!.probabilities[b!.label]).toBe(b!.probability);
    expect(b!.abstain).toBe(b!.probability < 0.6);
  });

  it('knows its classes without metadata too, and abstains only where there is a threshold', async () => {
    const plain = join(folder, 'plain.onnx');
    writeFileSync(plain, writeModel({ graph: deployableGraph(smallParts()) }));
    await using predictor = await Predictor.open(plain);
    await using reference = await Predictor.open(model);
    expect(predictor.classes).toEqual(smallParts().classes);
    expect(predictor.abstainThreshold).toBeUndefined();
    const [expected] = (await reference.predict([join(photos, 'a.png')])) as [Prediction];
    const { abstain: _, ...rest } = expected;
    expect(await predictor.predict([join(photos, 'a.png')])).toEqual([rest]);
  });

  it('scores images that are like none of the classes, and abstains there however sure it is', async () => {
    const scored = join(folder, 'scored.onnx');
    const scorer = { weight: new Float32Array(8).fill(0.5), bias: Float32Array.of(0) };
    const ask = async (threshold?: number): Promise<Prediction> => {
      const outliers = { scorer, embedding: 'embedding', threshold };
      const parts = smallParts({ outliers, abstainThreshold: 0 });
      writeFileSync(scored, deployableModel(parts).bytes);
      await using predictor = await Predictor.open(scored);
      expect(predictor.outlierThreshold).toBe(threshold);
      return (await predictor.predict([join(photos, 'a.png')]))[0] as Prediction;
    };
    const { outlierScore, ...plain } = await ask();
    expect(plain).not.toHaveProperty('outlier');
    expect(plain.abstain).toBe(false);
    expect(await ask(outlierScore! - 0.01)).toMatchObject({ outlierScore, outlier: true, abstain: true });
    expect(await ask(outlierScore! + 0.01)).toMatchObject({ outlierScore, outlier: false, abstain: false });
  });

  it('refuses larger images than allowed', async () => {
    await using predictor = await Predictor.open(model, { maxPixels: 100 });
    expect(await predictor.predict([join(photos, 'a.png')])).toEqual([
      { file: join(photos, 'a.png'), error: expect.stringContaining('pixels') },
    ]);
  });

  it('stops between images when the signal fires', async () => {
    await using predictor = await Predictor.open(model);
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of predictor.predictAll([photos], { signal: controller.signal })) controller.abort();
    };
    await expect(run()).rejects.toThrow(AbortedError);
  });

  it('says what is wrong with a model', async () => {
    const bare = join(folder, 'bare.onnx');
    writeFileSync(bare, bareModel(smallParts()).bytes);
    const cases: [string, RegExp][] = [
      [join(folder, 'none.onnx'), /none\.onnx.*no such file/],
      [folder, /it is a folder/],
      [text, /text\.jpg/],
      [bare, /not a deployed classifier.*takes input float32 \[N,3,16,16\]/],
    ];
    for (const [path, message] of cases) {
      await expect(Predictor.open(path), path).rejects.toThrow(ModelError);
      await expect(Predictor.open(path), path).rejects.toThrow(message);
    }
    await expect(Predictor.open(model, { device: 'gpu' })).rejects.toThrow(InputError);
  });
});

describe('plain ONNX Runtime', () => {
  const files = (): string[] => ['a.png', 'b.png', 'deep/c.png'].map((name) => join(photos, name));
  const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

  async function expectSameAnswers(output: string): Promise<void> {
    await using predictor = await Predictor.open(model);
    const expected = (await predictor.predict(files())) as Prediction[];
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; label: string; probability: number });
    expect(lines.map(({ file, label }) => ({ file, label }))).toEqual(
      expected.map(({ file, label }) => ({ file, label })),
    );
    for (const [i, { probability }] of lines.entries()) expect(probability).toBeCloseTo(expected[i]!.probability, 5);
  }

  it('gives the same answers from JavaScript', async () => {
    const { stdout, stderr } = spawnSync(process.execPath, [example('predict.mjs'), model, ...files()], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    await expectSameAnswers(stdout);
  });

  // Named by the one who runs the tests, or whichever is on the path.
  const python = [process.env['GLEANER_TEST_PYTHON'], 'python3', 'python'].find(
    (name) =>
      name !== undefined &&
      spawnSync(name, ['-c', 'import onnxruntime, numpy, PIL'], { encoding: 'utf8', timeout: 30_000 }).status === 0,
  );
  it.skipIf(python === undefined)(
    'gives the same answers from Python (where it has onnxruntime and Pillow)',
    async () => {
      const { stdout, stderr } = spawnSync(python!, [example('predict.py'), model, ...files()], { encoding: 'utf8' });
      expect(stderr).toBe('');
      await expectSameAnswers(stdout);
    },
  );

  it.skipIf(!existsSync(new URL('../../dist/export/predict.js', import.meta.url)))(
    'takes little processor time for one image in a new process',
    () => {
      const script =
        `const { Predictor } = await import(${JSON.stringify(new URL('../../dist/export/predict.js', import.meta.url).href)});` +
        `const p = await Predictor.open(${JSON.stringify(model)}, { threads: 1 });` +
        `await p.predict([${JSON.stringify(files()[0])}]); await p.dispose();` +
        `const { user, system } = process.cpuUsage(); console.log((user + system) / 1e6);`;
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
      // Processor time, since the machine may be busy with other tests; alone it takes about 0.4 s.
      expect(Number(stdout)).toBeLessThan(1);
    },
  );
});
