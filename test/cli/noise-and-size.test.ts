import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/images/decode.ts';
import { buildModel } from '../../src/models/registry.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner, untilEpochs } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-noise-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 8 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (run: string, flags: string): string[] => [
  'train',
  data,
  ...'--json --threads 1 --folds 0 --batch-size 4'.split(' '),
  ...flags.split(' '),
  '--out',
  join(folder, run),
];
const noisy =
  '--model cifar_resnet8 --input-size 24 --epochs 6 --train-size 16 --final-epochs 2 --stochastic-depth 0.3 --dropout 0.3';

describe('gleaner train with noise, on smaller images first', () => {
  it('says so, keeps it, leaves none of it in the model, and ends with the same bytes wherever it was killed', async () => {
    const whole = await runGleaner(train('whole', noisy));
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.stdout).toContain('stochastic depth at 3 residual additions');
    expect(whole.stdout).toContain('16x16 in epochs 1 to 4, 24x24 from then on');
    expect(lastJson(whole)['accuracy']).toBeGreaterThan(0.6);
    const config = JSON.parse(await readFile(join(folder, 'whole', 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config['options']).toMatchObject({ stochasticDepth: 0.3, dropout: 0.3, trainSize: 16, finalEpochs: 2 });
    const model = join(folder, 'whole', 'model.onnx');
    const { graph } = await loadModel(model);
    expect(graph.nodes.filter(({ name, opType }) => opType === 'Dropout' || name.includes('_depth'))).toEqual([]);
    expect(JSON.parse(await readFile(join(folder, 'whole', 'model.json'), 'utf8'))).toMatchObject({
      preprocessing: { inputSize: [24, 24] },
    });

    // In the phase of small images, and in that of full ones.
    for (const epochs of [2, 5]) {
      const run = `cut-${epochs}`;
      const { process: child, finished } = startGleaner(train(run, noisy));
      await untilEpochs(join(folder, run), epochs);
      child.kill('SIGKILL');
      await finished;
      const resumed = await runGleaner(['train', '--resume', join(folder, run), '--json']);
      expect(resumed.code, resumed.stderr).toBe(0);
      const [a, b] = await Promise.all([model, join(folder, run, 'model.onnx')].map((file) => readFile(file)));
      expect(a!.equals(b!), run).toBe(true);
    }
    // Training images are made again at the size they had.
    for (const [epoch, side] of [
      [4, 16],
      [5, 24],
    ]) {
      const flags = ['--epoch', String(epoch), '--out', join(folder, `replay-${epoch}.png`), '--json'];
      const replayed = await runGleaner(['augment', 'replay', join(folder, 'whole'), 'train/red/0.png', ...flags]);
      expect(replayed.code, replayed.stderr).toBe(0);
      const [image] = lastJson(replayed)['images'] as { file: string }[];
      expect(await decodeImage(image!.file)).toMatchObject({ width: side, height: side });
    }
  }, 400_000);

  it('fine-tunes a backbone so, also where its frozen layers run once an image', async () => {
    const backbone = join(folder, 'backbone.onnx');
    const { graph } = buildModel('cifar_resnet8', { classes: 5, seed: 1, inputSize: 24 });
    await writeFile(backbone, writeModel({ graph }));
    const flags = `--backbone ${backbone} --mean 127.5 --std 127.5 --epochs 4 --train-size 16 --final-epochs 1`;
    const tuned = await runGleaner(train('tuned', `${flags} --stochastic-depth 0.2`));
    expect(tuned.code, tuned.stderr).toBe(0);
    expect(lastJson(tuned)['accuracy']).toBeGreaterThan(0.9);
    const frozen = await runGleaner(
      train('frozen', `${flags} --freeze conv1* bn1* layer1.* --flip off --crop-scale 1`),
    );
    expect(frozen.code, frozen.stderr).toBe(0);
    expect(lastJson(frozen)['accuracy']).toBeGreaterThan(0.9);
    expect(frozen.stdout).toContain('From epoch 1, the first');
    expect(frozen.stdout).toContain('From epoch 4, the first');
  }, 240_000);

  it.each([
    ['--model digits --stochastic-depth 0.2', /"digits" has none/],
    ['--model cifar_resnet8 --input-size 24 --train-size 24', /begins at a smaller side/],
    [
      '--model vit_tiny_patch16_224 --input-size 32 --train-size 20',
      /multiples of its patches of 16 pixels, not 20x20/,
    ],
    ['--model cifar_resnet8 --train-size 16 --epochs 3 --final-epochs 3', /leave none for the smaller/],
  ])('ends with exit code 2 before anything is written: %s', async (flags, message) => {
    const { code, stderr } = await runGleaner(train('refused', flags));
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });
});
