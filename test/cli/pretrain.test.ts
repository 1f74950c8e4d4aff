import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toFeatureMetadata } from '../../src/models/description.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { buildModel } from '../../src/models/registry.ts';
import { extract } from '../../src/onnx/compose.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

const HALF = parsePreprocessing(
  { inputSize: [28, 28], mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] },
  'test',
);

let folder: string;
let data: string;
const pretrain = (run: string, ...flags: string[]): string[] => {
  const fixed = '--json --threads 1 --model digits --width 16 --epochs 4 --batch-size 16';
  return ['pretrain', data, '--out', join(folder, run), ...fixed.split(' '), ...flags];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-pretrain-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 4, unlabeled: 20 });
  // A copy of a test image among the unlabelled ones.
  await copyFile(join(data, 'test/red/0.png'), join(data, 'unlabeled/planted.png'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner pretrain', () => {
  it('writes a backbone, the same bytes when it was killed and resumed, that train takes as it is', async () => {
    const finished = await runGleaner(pretrain('whole'));
    expect(finished.code, finished.stderr).toBe(0);
    const result = lastJson(finished);
    // Not the test images, nor the copy of one.
    expect(result).toMatchObject({ type: 'result', images: 3 * 6 + 20 });
    expect(result['loss']).toBeLessThan(0);
    expect(result['loss']).toBeGreaterThanOrEqual(-1);
    expect(result['spread']).toBeGreaterThan(0);
    const backbone = result['backbone'] as string;

    const { process: child, finished: cut } = startGleaner(pretrain('cut'));
    const saved = join(folder, 'cut/stages/01-pretrain/checkpoints');
    while (!(await readdir(saved).catch((): string[] => [])).includes('last.safetensors'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await cut;
    const resumed = await runGleaner(['pretrain', '--resume', join(folder, 'cut'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(lastJson(resumed)).toMatchObject({ loss: result['loss'], spread: result['spread'] });
    expect(await readFile(join(folder, 'cut/backbone.onnx'))).toEqual(await readFile(backbone));

    const probe = [
      'train',
      data,
      '--backbone',
      backbone,
      '--method',
      'probe',
      '--json',
      '--out',
      join(folder, 'probe'),
    ];
    const trained = await runGleaner(probe);
    expect(trained.code, trained.stderr).toBe(0);
    expect(lastJson(trained)['accuracy']).toBeGreaterThan(0.9);
  }, 240_000);

  it("learns a teacher's features on images that it is not compared on, with smaller images first, and resumes", async () => {
    const teacher = join(folder, 'teacher.onnx');
    const { graph } = buildModel('digits', { classes: 3, inputSize: 28, seed: 7, dropout: 0 });
    const features = { graph: extract(graph, ['embedding']), metadata: toFeatureMetadata(HALF, {}) };
    await writeFile(teacher, writeModel(features));
    const config = join(folder, 'imitate.yaml');
    await writeFile(config, `model: digits\nepochs: 30\nteacher: ${teacher}\ntrainSize: 20\nlr: 0.05\n`);
    const imitate = (run: string): string[] => {
      const flags = ['--json', '--threads', '1', '--batch-size', '16', '--config', config];
      return ['pretrain', data, '--out', join(folder, run), ...flags];
    };
    const finished = await runGleaner(imitate('imitated'));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain('Size of training images: 20x20 in epochs 1 to 24, 28x28 from then on.');
    const result = lastJson(finished);
    // A tenth of 3 * 6 + 20 images is held out.
    expect(result).toMatchObject({ images: 34, spread: null });
    expect(Math.abs(result['similarityBefore'] as number)).toBeLessThan(0.4);
    // Of images of one colour the features differ by noise, which is not to be learnt from 34 of them.
    expect(result['similarity']).toBeGreaterThan(0.5);
    const backbone = await readFile(result['backbone'] as string);
    const learnt = await loadModel(result['backbone'] as string);
    expect(learnt.graph.outputs.map(({ name }) => name)).toEqual(['embedding']);
    expect([...learnt.graph.initializers.keys()].filter((name) => name.startsWith('head'))).toEqual([]);

    const { process: child, finished: cut } = startGleaner(imitate('imitated-cut'));
    const saved = join(folder, 'imitated-cut/stages/01-pretrain/checkpoints');
    while (!(await readdir(saved).catch((): string[] => [])).includes('last.safetensors'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await cut;
    const kept = await readFile(teacher);
    await writeFile(teacher, writeModel({ ...features, graph: { ...features.graph, name: 'other' } }));
    const changed = await runGleaner(['pretrain', '--resume', join(folder, 'imitated-cut')]);
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('changed since the run')]);
    await writeFile(teacher, kept);
    const resumed = await runGleaner(['pretrain', '--resume', join(folder, 'imitated-cut'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(lastJson(resumed)['similarity']).toBe(result['similarity']);
    expect(await readFile(join(folder, 'imitated-cut/backbone.onnx'))).toEqual(backbone);

    const probe = ['train', data, '--backbone', result['backbone'] as string, '--method', 'probe', '--json'];
    const trained = await runGleaner([...probe, '--out', join(folder, 'imitated-probe')]);
    expect(trained.code, trained.stderr).toBe(0);
    expect(lastJson(trained)['accuracy']).toBeGreaterThan(0.9);
  }, 300_000);

  it('needs no labels at all', async () => {
    const loose = join(folder, 'loose');
    await mkdir(loose);
    for (const name of await readdir(join(data, 'unlabeled')))
      await copyFile(join(data, 'unlabeled', name), join(loose, name));
    const args = [
      'pretrain',
      loose,
      '--out',
      join(folder, 'from-loose'),
      '--json',
      '--epochs',
      '1',
      '--model',
      'digits',
    ];
    const finished = await runGleaner([...args, '--width', '16']);
    expect(finished.code, finished.stderr).toBe(0);
    expect(lastJson(finished)).toMatchObject({ images: 21 });
  });

  it.each([
    [['--augment', 'randomresizedcrop|cutmix(1)'], /neither mix nor repeat/],
    [['--augment', 'randomresizedcrop|blurr'], /blurr/],
    [['--backbone', 'x.onnx'], /--backbone or --model/],
    [['--batch-size', '8'], /batchSize.*16/],
    [['--width', '3'], /width|16/],
    [['--teacher', 'x.onnx'], /"width".*no effect with "teacher"/],
    [['--teacher-mean', '0'], /no "teacher"/],
    [['--train-size', '28'], /smaller side/],
    [['--train-size', '120', '--model', 'vit_tiny_patch16_224'], /multiples of its patches of 16 pixels, not 120x120/],
    [['--final-epochs', '2'], /trainSize/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runGleaner(pretrain('refused', ...flags));
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });
});
