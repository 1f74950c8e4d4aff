import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner, untilEpochs } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
const train = (...flags: string[]): string[] => ['train', data, '--json', '--threads', '1', '--epochs', '3', ...flags];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-cli-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 8, unlabeled: 3 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner train', () => {
  it('trains from scratch, scores, exports and reports; the model then predicts and evaluates', async () => {
    const run = join(folder, 'scratch');
    const finished = await runGleaner(train('--out', run, '--epochs', '12', '--variants', 'bare', 'float16'));
    expect(finished.stderr).not.toMatch(/Error|undefined/);
    expect(finished.code).toBe(0);
    const result = lastJson(finished);
    expect(result).toMatchObject({ type: 'result', run, model: join(run, 'model.onnx'), n: 24, scoredOn: 'test' });
    expect(result['accuracy']).toBeGreaterThan(0.9);
    for (const file of [
      'config.json',
      'engine.json',
      'events.jsonl',
      'metrics.json',
      'model.json',
      'report.html',
      'model-card.md',
      'model.bare.onnx',
      'model.float16.onnx',
    ])
      expect(existsSync(join(run, file)), file).toBe(true);

    const evaluated = lastJson(
      await runGleaner(['evaluate', join(run, 'model.onnx'), data, '--json', '--threads', '1']),
    );
    expect(evaluated['accuracy']).toBe(result['accuracy']);
    expect(evaluated['n']).toBe(24);

    await writeFile(join(folder, 'broken.png'), 'no image');
    const predicted = await runGleaner([
      'predict',
      join(run, 'model.onnx'),
      join(data, 'test', 'red'),
      join(folder, 'broken.png'),
      '--json',
      '--threads',
      '1',
    ]);
    expect(predicted.code).toBe(1);
    const lines = predicted.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(10);
    expect(lines.filter(({ label }) => label === 'red').length).toBeGreaterThan(6);
    expect(lines[8]).toMatchObject({ file: join(folder, 'broken.png') });
    expect(lines[8]!['error']).toBeTypeOf('string');
    expect(lines[9]).toEqual({ type: 'result', files: 9, errors: 1 });

    const again = await runGleaner(train('--out', run));
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/already holds a run/);
  });

  it('fine-tunes and probes a backbone whose preprocessing is given by flags', async () => {
    const backbone = join(folder, 'backbone.onnx');
    await writeFile(backbone, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 8 }).graph }));
    const missing = await runGleaner(train('--backbone', backbone, '--out', join(folder, 'missing')));
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/--mean/);
    const flags = ['--backbone', backbone, '--mean', '127.5', '--std', '127.5'];
    for (const method of ['probe', 'finetune']) {
      const result = lastJson(await runGleaner(train(...flags, '--method', method, '--out', join(folder, method))));
      expect(result['accuracy'], method).toBeGreaterThan(0.9);
    }
  });

  it('cross-validates where there are few images and no test, and runs frozen layers once an image', async () => {
    const backbone = join(folder, 'backbone2.onnx');
    await writeFile(backbone, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 8 }).graph }));
    const run = join(folder, 'cross-validated');
    const flags =
      `--json --threads 1 --variants float16 --mean 127.5 --std 127.5 --folds 3 --epochs 2 ` +
      `--freeze stage1.* --flip off --crop-scale 1`;
    const finished = await runGleaner([
      'train',
      join(data, 'train'),
      '--out',
      run,
      '--backbone',
      backbone,
      ...flags.split(' '),
    ]);
    expect(finished.code, finished.stderr).toBe(0);
    const result = lastJson(finished);
    expect(result).toMatchObject({ n: 18, scoredOn: 'cross-validation' });
    expect(result['accuracy']).toBeGreaterThan(0.8);
    expect(finished.stdout).toMatch(/frozen: they run once an image/);
    const events = await readFile(join(run, 'events.jsonl'), 'utf8');
    expect(events).not.toContain('test-opened');
    expect(events).toContain('"type":"blend"');
    expect(await readFile(join(run, 'report.html'), 'utf8')).toContain('accuracy on the training images');
  });

  it('does without folds on request, but not where they give the score', async () => {
    const run = join(folder, 'no-folds');
    const finished = await runGleaner(train('--folds', '0', '--epochs', '1', '--out', run));
    expect(finished.code, finished.stderr).toBe(0);
    expect(await readFile(join(run, 'events.jsonl'), 'utf8')).not.toContain('fold-');
    expect(finished.stdout).toMatch(/Without folds there is nothing to calibrate/);
    for (const [images, folds, why] of [
      [data, '1', /folds: expected 0, or 2 and more/],
      [join(data, 'train'), '0', /its score comes from folds/],
    ] as const) {
      const refused = await runGleaner(['train', images, '--folds', folds, '--out', join(folder, 'refused')]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(why);
    }
  });

  it('ends with the same bytes when it was killed and resumed', async () => {
    const flags = ['--epochs', '6', '--batch-size', '4'];
    const whole = join(folder, 'whole');
    await runGleaner(train('--out', whole, ...flags));
    const cut = join(folder, 'cut');
    const { process: child, finished } = startGleaner(train('--out', cut, ...flags));
    await untilEpochs(cut, 2);
    child.kill('SIGKILL');
    expect((await finished).signal).toBe('SIGKILL');
    const resumed = await runGleaner(['train', '--resume', cut, '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    const [a, b] = await Promise.all([whole, cut].map((run) => readFile(join(run, 'model.onnx'))));
    expect(a!.equals(b!)).toBe(true);
    const twice = await runGleaner(['train', '--resume', cut]);
    expect(twice.code).toBe(2);
    expect(twice.stderr).toMatch(/finished/);
  });

  it('saves at Ctrl-C, says how to continue, and refuses a second process meanwhile', async () => {
    const run = join(folder, 'interrupted');
    const { process: child, finished } = startGleaner(train('--out', run, '--epochs', '200', '--batch-size', '4'));
    await untilEpochs(run, 1);
    const second = await runGleaner(['train', '--resume', run]);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(String(child.pid));
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(code).toBe(130);
    expect(stderr).toContain(`gleaner train --resume ${run}`);
  });
});

describe('bad input', () => {
  it.each([
    [['train'], /Which data/],
    [['train', 'DATA', '--epoch', '3'], /--epochs/],
    [['train', 'DATA', '--method', 'fine-tune'], /finetune/],
    [['train', 'DATA', '--epochs', 'many'], /whole number/],
    [['train', 'DATA', '--device', 'cudda'], /cuda/],
    [['train', 'DATA', '--model', 'resnet19'], /resnet18/],
    [['train', 'nowhere'], /nowhere/],
    [['train', 'DATA', '--method', 'probe'], /--backbone/],
    [['train', '--resume', 'nowhere'], /no run/],
    [['predict', 'nowhere.onnx', 'x.png'], /nowhere\.onnx/],
    [['trian', 'DATA'], /train/],
  ])('%j ends with exit code 2 and a message', async (args, message) => {
    const { code, stderr } = await runGleaner(
      args.map((arg) => (arg === 'DATA' ? data : arg)),
      { cwd: folder },
    );
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'runs'))).toBe(false);
  });

  it('names every wrong option of a config file', async () => {
    const config = join(folder, 'config.yaml');
    await writeFile(config, 'epohs: 3\nbatch-size: 0\n');
    const { code, stderr } = await runGleaner(['train', data, '--config', config], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toMatch(/"epohs".*"epochs"/);
    expect(stderr).toMatch(/batchSize/);
  });
});
