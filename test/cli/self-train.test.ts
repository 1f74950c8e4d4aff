import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import sharp, { type Sharp } from 'sharp';
import { float32, zeros } from '../../src/core/tensor.ts';
import { deployableModel } from '../../src/export/deployable.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import type { Evidence } from '../../src/recipes/evidence/evidence.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';
import { writeColourData } from '../support/colour-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'gleaner-self-train-'));
const data = join(folder, 'data');
const env = { GLEANER_CACHE: join(folder, 'cache') };
const SMALL = '--json --threads 1 --batch-size 8 --epochs 3 --epoch-images 48 --folds 2'.split(' ');

/** A network that was trained on nothing, whose features tell colours apart: its probe is a teacher in no time. */
const backbone = join(folder, 'backbone.onnx');
const BACKBONE = ['--backbone', backbone, '--mean', '127.5', '--std', '127.5'];

beforeAll(async () => {
  await writeColourData(data, { train: 6, test: 8, unlabeled: 30 });
  await writeFile(backbone, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 8 }).graph }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const selfTrain = (name: string, ...flags: string[]) => [
  'self-train',
  data,
  '--out',
  join(folder, name),
  ...SMALL,
  ...flags,
];

async function eventsOf(name: string, type: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(folder, name, 'events.jsonl'), 'utf8');
  return (
    text
      .split('\n')
      // The last line may be in the making.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event['type'] === type)
  );
}

/** Rows of `pseudo-labels/round-N.csv`. */
async function labelsOf(name: string, round = 1): Promise<Record<string, string>[]> {
  const text = await readFile(join(folder, name, 'pseudo-labels', `round-${round}.csv`), 'utf8');
  const [head, ...rows] = text.trim().split('\n');
  const names = head!.split(',');
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [names[i]!, cell])));
}

describe('gleaner self-train', () => {
  it('labels, trains by rounds, keeps the best, and tells of every round', async () => {
    const finished = await runGleaner(selfTrain('whole', '--rounds', '2', ...BACKBONE), { env });
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).not.toMatch(/undefined|NaN/);
    expect(lastJson(finished)).toMatchObject({ type: 'result', n: 24, scoredOn: 'test' });
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const rounds = await eventsOf('whole', 'round');
    expect(rounds.map(({ round }) => round)).toEqual([0, 1, 2].slice(0, rounds.length));
    expect(rounds[1]).toMatchObject({ unlabelled: 30, n: 18, isKept: true });
    const labels = await labelsOf('whole');
    expect(labels).toHaveLength(30);
    const out = join(folder, 'whole.jsonl');
    const written = await runGleaner(
      ['data', 'export', join(folder, 'whole'), '--format', 'jsonl', '--out', out, '--json'],
      { env },
    );
    expect(lastJson(written)).toMatchObject({ images: 72, labelled: 42, machineLabelled: 30 });
    expect((await readFile(out, 'utf8')).split('"machine":{').length).toBe(31);
    // Unlabelled image i shows colour i mod 3.
    const right = labels.filter(
      ({ file, label }) => label === ['blue', 'green', 'red'][Number(/(\d+)\.png/.exec(file!)![1]) % 3],
    );
    expect(right.length).toBeGreaterThan(26);
    const report = await readFile(join(folder, 'whole', 'report.html'), 'utf8');
    expect(report).toContain('id="rounds"');
    expect(report).toContain('id="machine-labels"');
    expect(report).toMatch(/Least sure of those used[\s\S]*data:image\/jpeg;base64/);
    const exported = await runGleaner(['export', join(folder, 'whole'), '--variant', 'float16', '--json'], { env });
    expect(exported.code, exported.stderr).toBe(0);
    const students = await readdir(join(folder, 'whole', 'stages'));
    const student = students.find((name) => name.endsWith('round-1-student'))!;
    expect(existsSync(join(folder, 'whole', 'stages', student, 'student.safetensors'))).toBe(true);
  });

  it('says why an image has its label, in words and as a page', async () => {
    const run = join(folder, 'whole');
    const lines = (await readFile(join(run, 'pseudo-labels', 'round-1.jsonl'), 'utf8')).trim().split('\n');
    const evidence = lines.map((line) => JSON.parse(line) as Evidence);
    expect(evidence).toHaveLength(30);
    const { neighbours } = evidence[0]!;
    expect(neighbours.labelled.map(({ file }) => file.split('/')[0])).toEqual(['train', 'train', 'train']);
    expect(neighbours.machine).toHaveLength(3);
    expect(neighbours.machine.map(({ file }) => file)).not.toContain(evidence[0]!.file);
    const page = join(folder, 'why.html');
    // The name alone names three images of each part, so its folder is needed.
    const asked = await runGleaner(['why', run, 'unlabeled/4.png', '--html', page, '--json'], { env });
    expect(asked.code, asked.stderr).toBe(0);
    const { label } = evidence.find(({ file }) => file === 'unlabeled/4.png')!;
    const found = lastJson(asked) as { role: string; sentences: string[]; rounds: Evidence[] };
    expect(found.role).toBe('machine-labelled');
    expect(found.rounds[0]!.round).toBe('round-1');
    expect(found.sentences.join(' ')).toMatch(
      new RegExp(`^unlabeled/4.png is labelled ${label} by digits[\\s\\S]*round-1: `),
    );
    const html = await readFile(page, 'utf8');
    expect(html.match(/data:image\/jpeg;base64/g)).toHaveLength(7);
    expect(html).not.toMatch(/<script|https?:/);
    const words = async (file: string) => (await runGleaner(['why', run, file], { env })).stdout;
    expect(await words('train/red/0.png')).toMatch(/A person labelled it red\. The run learns from it/);
    expect(await words(join(data, 'test', 'blue', '1.png'))).toMatch(
      /labelled it blue\. It is held out: the run is scored/,
    );
    const missing = await runGleaner(['why', run, 'unlabeled/4.pnk'], { env });
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/no image "unlabeled\/4\.pnk" \(did you mean "unlabeled\/4\.png"\?\)/);
  });

  it('ends with the same bytes when it was killed while a fold, and while a student, was trained', async () => {
    const flags = ['--rounds', '1', ...BACKBONE];
    await runGleaner(selfTrain('one', ...flags), { env });
    const { process: child, finished } = startGleaner(selfTrain('cut', ...flags), { env });
    await untilEpoch('cut', 'round-1-fold-1');
    child.kill('SIGKILL');
    expect((await finished).signal).toBe('SIGKILL');
    const other = await runGleaner(['train', '--resume', join(folder, 'cut')], { env });
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/gleaner self-train --resume/);
    const again = startGleaner(['self-train', '--resume', join(folder, 'cut'), '--json'], { env });
    await untilEpoch('cut', 'round-1-student');
    again.process.kill('SIGKILL');
    expect((await again.finished).signal).toBe('SIGKILL');
    const resumed = await runGleaner(['self-train', '--resume', join(folder, 'cut'), '--json'], { env });
    expect(resumed.code, resumed.stderr).toBe(0);
    for (const file of ['model.onnx', 'pseudo-labels/round-1.csv', 'pseudo-labels/round-1.jsonl']) {
      const [a, b] = await Promise.all(['one', 'cut'].map((name) => readFile(join(folder, name, file))));
      expect(a!.equals(b!), file).toBe(true);
    }
  }, 300_000);

  it('says what it does where a threshold lets nothing through, and does all rounds without folds', async () => {
    const finished = await runGleaner(
      selfTrain('strict', '--threshold', '1', '--folds', '0', '--rounds', '2', ...BACKBONE),
      {
        env,
      },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/lets none of 30 machine labels through/);
    expect(finished.stderr).toMatch(/the last counts, whether it is better or not/);
    expect((await labelsOf('strict')).filter(({ used }) => used === 'yes').length).toBeLessThan(12);
    expect((await eventsOf('strict', 'round')).map(({ isKept }) => isKept)).toEqual([true, true, true]);
  });

  it('rolls back a student whose labels collapse in the next round, and says why in the run and the report', async () => {
    // A network of random weights that does not learn sees one class everywhere, and nothing is held out to notice it by.
    const flags = '--grow digits@28 --rounds 2 --folds 0 --lr 1e-9 --epochs 1'.split(' ');
    const finished = await runGleaner(selfTrain('collapsed', ...BACKBONE, ...flags), { env });
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(
      /machine labels of round 2 collapse: .* What is left is the first teacher, trained from the labels alone/,
    );
    // The probe's, not the student's.
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    expect((await eventsOf('collapsed', 'round')).map(({ isKept }) => isKept)).toEqual([true, true, false]);
    const [taken] = await eventsOf('collapsed', 'rolled-back');
    expect(taken).toMatchObject({ round: 1, reasons: expect.arrayContaining(['its labels collapse in round 2']) });
    const report = await readFile(join(folder, 'collapsed', 'report.html'), 'utf8');
    expect(report).toMatch(/no: its labels collapse in round 2; The labels are spread over 1\.\d classes/);
  });

  it('distils the last teacher to another network', async () => {
    const config = join(folder, 'small.yaml');
    await writeFile(config, 'rounds: 1\nmodel: cifar_resnet8\ninput-size: 28\nfinal: digits@28\nfinalTemperature: 3\n');
    const finished = await runGleaner(selfTrain('small', '--epochs', '1', '--config', config), { env });
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/stochastic depth at 3 residual additions/);
    const rounds = await eventsOf('small', 'round');
    expect(rounds.at(-1)).toMatchObject({ network: 'digits', used: 30 });
    const recorded = JSON.parse(await readFile(join(folder, 'small', 'config.json'), 'utf8')) as object;
    expect(recorded).toMatchObject({ selfTraining: { rounds: 1, final: 'digits@28', finalTemperature: 3 } });
    expect(existsSync(join(folder, 'small', 'pseudo-labels', 'final.csv'))).toBe(true);
  }, 240_000);

  it('fine-tunes a backbone, and takes labels from views and from the graph of embeddings too', async () => {
    const flags = '--first-teacher finetune --source both --views 3 --threshold right:0.8';
    const finished = await runGleaner(
      selfTrain('backbone', '--rounds', '1', '--epochs', '1', ...BACKBONE, ...flags.split(' ')),
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const [, round] = await eventsOf('backbone', 'round');
    expect(round!['expectedRight']).toBeGreaterThanOrEqual(0.8);
    const labels = await labelsOf('backbone');
    expect(labels.every(({ chance }) => Number(chance) > 0 && Number(chance) <= 1)).toBe(true);
  });
});

describe('gleaner self-train --first-teacher propagation', () => {
  it('spreads labels again beside the student of each round, judged by students of folds', async () => {
    const finished = await runGleaner(
      selfTrain('spreading', '--rounds', '2', '--first-teacher', 'propagation', ...BACKBONE),
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const labels = await labelsOf('spreading');
    expect(labels.filter(({ file, label }) => label === ['blue', 'green', 'red'][Number(/(\d+)\.png/.exec(file!)![1]) % 3]).length).toBeGreaterThan(27); // prettier-ignore
    const stages = await readdir(join(folder, 'spreading', 'stages'));
    // Who labels next is asked about the held images, too, and is not the student.
    expect(stages.map((name) => name.slice(3))).toEqual(
      expect.arrayContaining(['round-1-held-1', 'round-1-held-labels-1']),
    );
    expect(stages.map((name) => name.slice(3))).not.toContain('teacher-held-labels-1');
  }, 240_000);
});

describe('gleaner self-train --teacher-backbones', () => {
  const teachers = ['clip', 'dinov2'].map((name) =>
    fileURLToPath(new URL(`../backbones/golden/${name}`, import.meta.url)),
  );

  it('lets probes on large networks label together, for a student from scratch or of a backbone of its own', async () => {
    for (const [name, own] of [
      ['scratch', ['--model', 'digits_16', '--input-size', '12', '--folds', '0']],
      ['backbone', BACKBONE],
    ] as const) {
      const flags = [...own, '--rounds', '1', '--teacher-backbones', ...teachers];
      const finished = await runGleaner(selfTrain(`large-${name}`, ...flags), { env });
      expect(finished.code, finished.stderr).toBe(0);
      const labels = await labelsOf(`large-${name}`);
      expect(labels).toHaveLength(30);
      // Two probes: agreement is that of both, or of half of them.
      expect([...new Set(labels.map(({ agreement }) => Number(agreement)))].every((x) => [0.5, 1].includes(x))).toBe(
        true,
      );
      const config = await readFile(join(folder, `large-${name}`, 'config.json'), 'utf8');
      expect(JSON.parse(config)).toMatchObject({ selfTraining: { teacherBackbones: teachers } });
    }
    // The fold's student is judged against the probe on its own backbone, which is what would be left.
    const [before, round] = await eventsOf('large-backbone', 'round');
    expect([before!['n'], round!['n']]).toEqual([18, 18]);
  }, 240_000);

  it('refuses a teacher beside them', async () => {
    const refused = await runGleaner(selfTrain('two', ...BACKBONE, '--first-teacher', 'finetune', '--teacher-backbones', ...teachers), { env }); // prettier-ignore
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('are the first teacher by their probes'),
    ]);
  });
});

describe('gleaner pseudo-label', () => {
  it('takes an exported model as the teacher, whatever the order of its classes', async () => {
    const taught = await runGleaner(
      ['train', data, '--out', join(folder, 'teacher'), '--epochs', '8', '--json', '--threads', '1', '--folds', '0'],
      { env },
    );
    expect(taught.code, taught.stderr).toBe(0);
    const before = await readFile(join(folder, 'teacher', 'model.onnx'));
    const finished = await runGleaner(
      ['pseudo-label', data, '--teacher', join(folder, 'teacher', 'model.onnx'), '--out', join(folder, 'taught'), ...SMALL], // prettier-ignore
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    expect((await readFile(join(folder, 'teacher', 'model.onnx'))).equals(before)).toBe(true);
    expect((await eventsOf('taught', 'round')).map(({ isKept }) => isKept)).toEqual([true, true]);
  });

  it('keeps the first teacher where the student is surely worse, and says why', async () => {
    const flags = '--student digits@28 --lr 1e-9 --epochs 1';
    const finished = await runGleaner(
      ['pseudo-label', data, '--out', join(folder, 'worse'), ...SMALL, ...BACKBONE, ...flags.split(' ')],
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/Round 1: .* It is not kept: /);
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    expect((await eventsOf('worse', 'round')).map(({ isKept }) => isKept)).toEqual([true, false]);
    const stages = await readdir(join(folder, 'worse', 'stages'));
    expect(stages.filter((name) => name.endsWith('-student'))).toEqual([]);
  });

  it('learns nothing from a teacher whose labels collapse', async () => {
    const b = new GraphBuilder('constant');
    const x = b.input('input', 'float32', ['N', 3, 28, 28]);
    const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [x])]);
    const zero = b.op('MatMul', [pooled, b.constant(zeros('float32', [3, 3]))]);
    b.output(b.op('Add', [zero, b.constant(float32([4, 0, 0]))]), 'logits');
    const preprocessing = parsePreprocessing({ inputSize: [28, 28], mean: [0, 0, 0], std: [1, 1, 1] }, 'the test');
    const provenance = { gleaner: '0', method: 'constant', seed: 0, data: '' };
    const parts = {
      graph: b.build(),
      logits: 'logits',
      preprocessing,
      classes: ['blue', 'green', 'red'],
      temperature: 1,
    };
    const constant = join(folder, 'constant.onnx');
    await writeFile(constant, deployableModel({ ...parts, provenance }).bytes);
    const finished = await runGleaner(
      ['pseudo-label', data, '--teacher', constant, '--out', join(folder, 'constant'), ...SMALL],
      { env },
    );
    expect(finished.code, finished.stderr).toBe(2);
    expect(finished.stderr).toMatch(/The machine labels of round 1 collapse: .*1.0 classes/);
    expect(existsSync(join(folder, 'constant', 'pseudo-labels', 'round-1.csv'))).toBe(true);
  });
});

describe('the protocol', () => {
  it('finds a test image among the unlabelled, however it was changed, and leaves it out', async () => {
    const leaky = join(folder, 'leaky');
    await writePhotos(leaky);
    const original = join(leaky, 'test', 'b', '0.jpg');
    const { width, height } = await sharp(original).metadata();
    const planted: Record<string, Sharp> = {
      resized: sharp(original).resize(Math.round(width / 2)),
      recompressed: sharp(original).jpeg({ quality: 40 }),
      cropped: sharp(original).extract({
        left: Math.round(width * 0.05),
        top: Math.round(height * 0.05),
        width: Math.round(width * 0.9),
        height: Math.round(height * 0.9),
      }),
      mirrored: sharp(original).flop(),
    };
    for (const [name, image] of Object.entries(planted))
      await image.toFormat('jpeg').toFile(join(leaky, 'unlabeled', `${name}.jpg`));
    const run = join(folder, 'leak-safe');
    const finished = await runGleaner(
      ['self-train', leaky, '--out', run, '--rounds', '1', ...SMALL, ...BACKBONE, '--epochs', '1'],
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    const files = (await labelsOf('leak-safe')).map(({ file }) => file!);
    expect(files.length).toBeGreaterThan(5);
    for (const name of Object.keys(planted))
      expect(
        files.some((file) => file.includes(name)),
        name,
      ).toBe(false);
  });

  it('gives chance where labels mean nothing', async () => {
    const shuffled = join(folder, 'shuffled');
    await writeColourData(shuffled, { train: 12, test: 40, unlabeled: 30 }, 28, (i) => i % 3);
    const run = join(folder, 'chance');
    const finished = await runGleaner(['self-train', shuffled, '--out', run, '--rounds', '1', ...SMALL, ...BACKBONE], {
      env,
    });
    expect(finished.code, finished.stderr).toBe(0);
    // 120 images of 3 classes: chance is 1/3, with a deviation of 4.3 points.
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.33 - 0.15);
    expect(lastJson(finished)['accuracy']).toBeLessThan(0.33 + 0.15);
  });
});

describe('bad input', () => {
  const [none, lonely] = [join(folder, 'none'), join(folder, 'lonely')];
  beforeAll(async () => {
    await writeColourData(none, { train: 4, test: 3 });
    await writeColourData(lonely, { train: 4, test: 3, unlabeled: 6 });
    await writeFile(join(folder, 'patient.yaml'), 'patience: 3\n');
    await writeFile(join(folder, 'rounds.yaml'), 'rounds: 3\n');
    await writeFile(join(folder, 'list.txt'), 'train/red/0.png\ntrain/red/1.png\ntrain/blue/0.png\n');
  });

  it.each([
    [['self-train', none], /no unlabelled image/],
    [['self-train', lonely, '--labels-list', join(folder, 'list.txt')], /No labelled image shows green/],
    [['self-train', lonely, '--threshold', '0.5,0.5'], /3 classes/],
    [['self-train', lonely, '--threshold', 'right:0.9', '--folds', '0'], /without folds/],
    [['self-train', lonely, '--stochastic-depth', '0.2', '--model', 'digits'], /residual branches/],
    [['self-train', lonely, '--grow', 'digits,resnet19'], /resnet18/],
    [['pseudo-label', lonely, '--teacher', join(folder, 'nowhere.onnx')], /no such file/],
    [['self-train', lonely, '--final-temperature', '2'], /"final", which is missing/],
    [['self-train', lonely, '--config', join(folder, 'patient.yaml')], /"patience" would have no effect/],
    [['pseudo-label', lonely, '--config', join(folder, 'rounds.yaml')], /"rounds" has no place/],
    [['self-train'], /Which data/],
    [['self-train', '--resume', join(folder, 'nowhere')], /no run/],
  ])('%j ends with exit code 2, a message and no run', async (args, message) => {
    const finished = await runGleaner(args, { env, cwd: folder });
    expect(finished.code, finished.stderr).toBe(2);
    expect(finished.stderr).toMatch(message);
    expect(existsSync(join(folder, 'runs'))).toBe(false);
  });
});

/** Pictures with structure that copies are recognised by: two classes, 6 to train on, 3 to score, 8 without a label. */
async function writePhotos(root: string): Promise<void> {
  const picture = async (file: string, seed: number): Promise<void> => {
    await mkdir(join(root, file, '..'), { recursive: true });
    // Noise of a few large cells, smoothed, as photos have.
    const cells = Buffer.from(Uint8Array.from({ length: 12 * 12 * 3 }, (_, i) => ((i + 1) * 7919 * (seed + 3)) % 251));
    await sharp(cells, { raw: { width: 12, height: 12, channels: 3 } })
      .resize(160, 160, { kernel: 'cubic' })
      .jpeg({ quality: 90 })
      .toFile(join(root, file));
  };
  let seed = 0;
  for (const name of ['a', 'b']) {
    for (let i = 0; i < 6; i++) await picture(`train/${name}/${i}.jpg`, seed++);
    for (let i = 0; i < 3; i++) await picture(`test/${name}/${i}.jpg`, seed++);
  }
  for (let i = 0; i < 8; i++) await picture(`unlabeled/${i}.jpg`, seed++);
}

/** Waits until a run has recorded an epoch of a stage. */
async function untilEpoch(name: string, stage: string): Promise<void> {
  for (let i = 0; i < 1800; i++) {
    const epochs = existsSync(join(folder, name, 'events.jsonl')) ? await eventsOf(name, 'epoch') : [];
    if (epochs.some((event) => event['stage'] === stage)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} recorded no epoch of ${stage} in 90 seconds.`);
}
