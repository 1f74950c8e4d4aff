import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../src/models/registry.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
let loose: string;
let teacher: string;
const FIXED = '--json --threads 1 --student digits --batch-size 6 --epochs 12';
const distill = (from: string, run: string, ...flags: string[]): string[] => {
  const out = ['--out', join(folder, run), '--teacher', teacher];
  return ['distill', ...out, ...FIXED.split(' '), ...flags, from];
};
const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
const eventsOf = async (run: string): Promise<Record<string, unknown>[]> =>
  (await readFile(join(folder, run, 'events.jsonl'), 'utf8').catch(() => ''))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-distill-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 8, unlabeled: 12 });
  loose = join(folder, 'loose');
  await mkdir(loose);
  for (const name of ['blue', 'green', 'red'])
    for (const file of await readdir(join(data, 'test', name)))
      await cp(join(data, 'test', name, file), join(loose, `${file.replace('.png', '')}-${name}.png`));
  const trained = await runGleaner(
    `train ${data} --out ${join(folder, 'teacher')} --json --threads 1 --epochs 14 --folds 0 --seed 5`.split(' '),
  );
  expect(trained.code, trained.stderr).toBe(0);
  teacher = join(folder, 'teacher', 'model.onnx');
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner distill', () => {
  it('teaches with some labels, leaves the teacher as it was, and ends with the same bytes after a kill', async () => {
    const before = await hashOf(teacher);
    const flags = [
      '--labels-per-class',
      '2',
      '--folds',
      '0',
      '--augment',
      'randomresizedcrop(scale=0.5..1)|mixup(0.4)',
    ];
    const finished = await runGleaner(distill(data, 'whole', ...flags));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain("Classes: the teacher knows 3 of the student's 3 by the same names.");
    expect(finished.stderr).toContain('0.9 times KL divergence at T = 4 + 0.1 times cross-entropy of labels');
    const result = lastJson(finished);
    expect(result).toMatchObject({ type: 'result', n: 24, scoredOn: 'test', compared: 24 });
    expect(result['accuracy']).toBeGreaterThan(0.9);
    expect(result['agreement']).toBeGreaterThan(0.9);
    expect(await hashOf(teacher)).toBe(before);
    const config = JSON.parse(await readFile(join(folder, 'whole', 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ method: 'distill', teachers: [before], teaching: { teacher: [teacher] } });
    expect((await eventsOf('whole')).find(({ type }) => type === 'lesson')).toMatchObject({
      mappings: [{ by: 'names', taught: [0, 1, 2].map((k) => ({ student: k, from: [k] })) }],
    });
    expect(await readFile(join(folder, 'whole', 'report.html'), 'utf8')).toContain(
      'hold one class for the most probable',
    );

    const { process: child, finished: cut } = startGleaner(distill(data, 'cut', ...flags));
    while ((await eventsOf('cut')).filter(({ type }) => type === 'epoch').length < 3)
      await new Promise((resolve) => setTimeout(resolve, 30));
    child.kill('SIGKILL');
    expect((await cut).signal).toBe('SIGKILL');
    const wrong = await runGleaner(['train', '--resume', join(folder, 'cut')]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('gleaner distill --resume')]);
    await rename(teacher, `${teacher}.kept`);
    const other = await loadModel(`${teacher}.kept`);
    await writeFile(teacher, writeModel({ ...other, graph: { ...other.graph, name: 'other' } }));
    const changed = await runGleaner(['distill', '--resume', join(folder, 'cut')]);
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('changed since the run')]);
    await rename(`${teacher}.kept`, teacher);
    const resumed = await runGleaner(['distill', '--resume', join(folder, 'cut'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await hashOf(join(folder, 'cut', 'model.onnx'))).toBe(await hashOf(join(folder, 'whole', 'model.onnx')));
  }, 240_000);

  it('learns the teacher’s classes where there is no label at all, and says that accuracy is unknown', async () => {
    const finished = await runGleaner(distill(loose, 'unlabelled', '--variants', 'bare', '--teacher-once'));
    expect(finished.code, finished.stderr).toBe(0);
    const result = lastJson(finished);
    expect(result).toMatchObject({ accuracy: null, interval: null, n: 0, scoredOn: null, compared: 2 });
    expect(result['kl']).toBeLessThan(1);
    const model = join(folder, 'unlabelled', 'model.onnx');
    const evaluated = lastJson(await runGleaner(['evaluate', model, data, '--json', '--threads', '1']));
    expect(evaluated['accuracy']).toBeGreaterThan(0.9);
    expect(await readFile(join(folder, 'unlabelled', 'report.html'), 'utf8')).toContain('the accuracy is unknown');
    const told = await runGleaner([...distill(loose, 'told').filter((flag) => flag !== '--json'), '--epochs', '1']);
    expect(told.stderr).toMatch(/About \d+ seconds for scratch: 4 steps of \d+\.\d\d s, 1 epochs/);
    expect(told.stdout).toContain('Accuracy unknown');
    expect(told.stdout).toMatch(
      /Student and teacher agree on \d+\.\d % .* of 2 images that the student was not trained on/,
    );
    expect(told.stderr).toMatch(/No label is used: the student learns the 3 classes of the teacher .* 22 images/);
  }, 180_000);

  it('maps classes by a table, takes no labels where told, and scores on test all the same', async () => {
    const [map, other] = [join(folder, 'map.csv'), join(folder, 'other')];
    await writeFile(map, 'teacher,student\nred,warm\nblue,cold\ngreen,cold\n');
    for (const [name, of] of Object.entries({ red: 'warm', blue: 'cold' }))
      await cp(join(data, 'test', name), join(other, 'test', of), { recursive: true });
    await cp(join(data, 'train'), join(other, 'train'), { recursive: true });
    const finished = await runGleaner(distill(other, 'mapped', '--map', map, '--ignore-labels'));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain('Classes, by the table: cold is "blue", "green"; warm is "red".');
    const result = lastJson(finished);
    expect(result).toMatchObject({ n: 16, scoredOn: 'test' });
    expect(result['accuracy']).toBeGreaterThan(0.9);
    const exported = await runGleaner(['export', join(folder, 'mapped'), '--variant', 'float16']);
    expect([exported.code, exported.stderr]).toEqual([2, expect.stringContaining('with --variants')]);
  }, 120_000);

  it('gives the student a second head where nothing maps, and says so; it is not in what is exported', async () => {
    const other = join(folder, 'others');
    for (const part of ['train', 'test'])
      for (const [name, of] of Object.entries({ red: 'warm', blue: 'cold' }))
        await cp(join(data, part, name), join(other, part, of), { recursive: true });
    const flags = ['--folds', '0', '--features', 'hint', '--temperature', '2'];
    const finished = await runGleaner(distill(other, 'second', ...flags));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/others than the student's 2\. The student gets a second head of 3 outputs/);
    expect(finished.stderr).toContain(
      '0.5 times KL divergence at T = 2 + 0.5 times cross-entropy of labels + 1 times hint',
    );
    expect(lastJson(finished)).toMatchObject({ agreement: null, kl: null, n: 16 });
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const { graph } = await loadModel(join(folder, 'second', 'model.onnx'));
    expect([...graph.initializers.keys()].filter((name) => name.includes('distillation'))).toEqual([]);
  }, 120_000);

  it('finds a temperature on held-out images, and the mean of two teachers, one bare', async () => {
    const bare = join(folder, 'bare.onnx');
    await runGleaner(['export', join(folder, 'teacher'), '--variant', 'bare', '--out', bare]);
    const finished = await runGleaner(
      distill(loose, 'searched', '--teacher', bare, '--search-temperature', '--epochs', '5'),
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain('the mean of their probabilities');
    expect(finished.stderr).toMatch(
      /Found on held-out images: T \d \(agreement with the teacher after a short training:/,
    );
    const trials = (await eventsOf('searched')).filter(({ type }) => type === 'temperature-trial');
    expect(trials.map(({ temperature }) => temperature)).toEqual([1, 2, 4, 8]);
  }, 180_000);

  it('is taught by the average of the student itself, and ends with the same bytes after a kill', async () => {
    const own = (run: string, ...flags: string[]): string[] => {
      const given = ['--teacher', 'ema', '--labels-per-class', '3', '--folds', '0', '--batch-norm', 'batch', ...flags];
      return ['distill', '--out', join(folder, run), ...FIXED.split(' '), ...given, data];
    };
    const finished = await runGleaner(own('own'));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain('Taught by the moving average of its own weights');
    expect(finished.stderr).toContain('0.5 times KL divergence at T = 4 + 0.5 times cross-entropy of labels');
    expect(lastJson(finished)).toMatchObject({ agreement: null, kl: null, compared: 0, n: 24 });
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const { process: child, finished: cut } = startGleaner(own('own-cut'));
    while ((await eventsOf('own-cut')).filter(({ type }) => type === 'epoch').length < 3)
      await new Promise((resolve) => setTimeout(resolve, 30));
    child.kill('SIGKILL');
    await cut;
    const resumed = await runGleaner(['distill', '--resume', join(folder, 'own-cut'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await hashOf(join(folder, 'own-cut', 'model.onnx'))).toBe(await hashOf(join(folder, 'own', 'model.onnx')));
    const blind = await runGleaner(['distill', '--teacher', 'ema', '--student', 'digits', loose]);
    expect([blind.code, blind.stderr]).toEqual([2, expect.stringContaining('give another teacher')]);
  }, 240_000);

  it('refuses what does not fit', async () => {
    const nameless = join(folder, 'nameless_digits.onnx');
    const { graph } = buildModel('digits', { classes: 3, inputSize: 28, seed: 1, dropout: 0 });
    await writeFile(nameless, writeModel({ graph }));
    const headless = join(folder, 'headless.onnx');
    const embedding = graph.outputs.filter(({ name }) => name === 'embedding');
    await writeFile(headless, writeModel({ graph: { ...graph, outputs: embedding } }));
    const empty = join(folder, 'empty');
    await mkdir(empty);
    const names = join(folder, 'two.txt');
    await writeFile(names, 'a\nb\n');
    const badMap = join(folder, 'bad.csv');
    await writeFile(badMap, 'purple,red\n');
    const of = (path: string): string[] => ['--teacher', path, '--teacher-mean', '0', '--teacher-std', '1'];
    const cases: [string[], RegExp][] = [
      [distill(data, 'x', '--temperature', '0'), /temperature/],
      [distill(data, 'x', '--alpha', '1.5'), /alpha/],
      [distill(data, 'x', '--loss', 'kdd'), /Did you mean "kd"/],
      [distill(data, 'x', '--map', badMap), /no class "purple"/],
      [distill(data, 'x', '--teacher-once', '--augment', 'evaluationcrop|mixup'), /mixes them/],
      [distill(empty, 'x'), /no image that can be read/],
      [['distill', data], /Which teacher/],
      [['distill', '--teacher', join(data, 'test', 'red', '0.png'), data], /0\.png/],
      [['distill', ...of(nameless), data], /have no names: give a file/],
      [['distill', ...of(nameless), '--teacher-classes', names, data], /3 classes.*has 2 names/],
      [['distill', ...of(headless), data], /no classifier/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await runGleaner(args);
      expect(stderr).toMatch(message);
      expect(code, stderr).toBe(2);
    }
  }, 180_000);
});
