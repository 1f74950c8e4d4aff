import { mkdtempSync, rmSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/core/atomic-file.ts';
import { randomStream } from '../../src/core/random.ts';
import { encodePng } from '../../src/images/encode.ts';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { StageTimes, type Timed } from '../../src/recipes/plan/stage-times.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

const folder = mkdtempSync(join(tmpdir(), 'gleaner-plan-'));
const data = join(folder, 'data');
const few = join(folder, 'few');
const stripes = join(folder, 'stripes');
const noise = join(folder, 'noise');
/** A network that was trained on nothing, whose features tell colours apart. */
const backbone = join(folder, 'backbone.onnx');
const large = join(folder, 'large.onnx');
const BACKBONE = ['--backbone', backbone, '--mean', '127.5', '--std', '127.5'];

/**
 * What the machine is known to take, in seconds an image: so slow that 10 minutes hold one round and 250 steps of FixMatch, however
 * busy it is.
 */
const TIMES: readonly (readonly [Timed, number])[] = [
  ['answer', 0.001],
  ['finetune', 0.35],
  ['scratch', 0.01],
  ['spread', 0.08],
  ['fixmatch', 0.35],
];

/** A cache of its own with these times: a run replaces them by what it takes. */
async function slowMachine(
  name: string,
  faster: Partial<Record<Timed, number>> = {},
): Promise<{ GLEANER_CACHE: string }> {
  const env = { GLEANER_CACHE: join(folder, `cache-${name}`) };
  process.env['GLEANER_CACHE'] = env.GLEANER_CACHE;
  await using engine = await Engine.start({ threads: 1 });
  const times = await StageTimes.open(engine);
  const files = await Promise.all([backbone, large].map((file) => readFile(file)));
  const networks = [...files.map((bytes) => `${sha256(bytes).slice(0, 16)}@28x28`), 'digits@12x12', 'digits_16@14x14'];
  for (const network of networks)
    for (const [what, seconds] of TIMES) await times.add(what, network, faster[what] ?? seconds, 1);
  return env;
}

beforeAll(async () => {
  await writeColourData(data, { train: 6, test: 8, unlabeled: 30 });
  await writeColourData(few, { train: 2, test: 8, unlabeled: 30 });
  await writeStripes(stripes);
  await writeNoise(noise);
  await writeFile(backbone, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 4 }).graph }));
  await writeFile(large, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 16 }).graph }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Stripes from left to right and from top to bottom under noise, in places and widths of their own. */
async function writeStripes(root: string): Promise<void> {
  const stream = randomStream('stripes');
  const side = 14;
  const parts = ['lying', 'standing'].flatMap((name) => [
    { path: join('train', name), name, count: 6 },
    { path: join('test', name), name, count: 20 },
    { path: 'unlabeled', name, count: 30 },
  ]);
  for (const { path, name, count } of parts) {
    await mkdir(join(root, path), { recursive: true });
    for (let i = 0; i < count; i++) {
      const [phase, period] = [stream.uniform(), 4 + 3 * stream.uniform()];
      const data = Uint8Array.from({ length: side * side }, (_, at) => {
        const along = name === 'lying' ? Math.floor(at / side) : at % side;
        return 128 + 70 * Math.sin(2 * Math.PI * (along / period + phase)) + 20 * stream.normal();
      });
      const png = await encodePng({ width: side, height: side, channels: 1, data });
      await writeFile(join(root, path, `${name}-${i}.png`), png);
    }
  }
}

/** Nothing to learn from. */
async function writeNoise(root: string): Promise<void> {
  const stream = randomStream('noise');
  const parts = ['a', 'b', 'c'].flatMap((name) => [
    { path: join('train', name), count: 8 },
    { path: join('test', name), count: 8 },
    { path: 'unlabeled', count: 10 },
  ]);
  for (const [part, { path, count }] of parts.entries()) {
    await mkdir(join(root, path), { recursive: true });
    for (let i = 0; i < count; i++) {
      const data = Uint8Array.from({ length: 28 * 28 }, () => stream.integer(256));
      await writeFile(
        join(root, path, `${part}-${i}.png`),
        await encodePng({ width: 28, height: 28, channels: 1, data }),
      );
    }
  }
}

const train = (name: string, ...flags: string[]): string[] => [
  'train',
  data,
  '--out',
  join(folder, name),
  '--json',
  '--threads',
  '1',
  ...flags,
];

async function eventsOf(name: string, type: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(folder, name, 'events.jsonl'), 'utf8').catch(() => '');
  const events = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return events.filter((event) => event['type'] === type);
}

async function untilStage(name: string, stage: string): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    const begun = await eventsOf(name, 'epoch');
    if (begun.some((event) => event['stage'] === stage)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} did not come to ${stage} in a minute.`);
}

describe('the plan', () => {
  it('is told by gleaner plan, which trains nothing', async () => {
    const env = await slowMachine('told');
    const told = await runGleaner(['plan', data, '--json', '--threads', '1', ...BACKBONE], { env });
    expect(told.code, told.stderr).toBe(0);
    const { budget, stages } = lastJson(told) as { budget: number; stages: { stage: string; seconds: number }[] };
    expect(budget).toBe(600);
    expect(stages.map(({ stage }) => stage)).toEqual(['read', 'probe', 'self-train', 'finish']);
    expect(stages.reduce((sum, { seconds }) => sum + seconds, 0)).toBeLessThan(600);
  });

  it('trains a head first, then a round, and says in words why', async () => {
    const env = await slowMachine('whole');
    const finished = await runGleaner(train('whole', ...BACKBONE), { env });
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).not.toMatch(/undefined|NaN/);
    const result = lastJson(finished);
    expect(result).toMatchObject({ type: 'result', n: 24, scoredOn: 'test' });
    expect(result['accuracy']).toBeGreaterThan(0.9);
    expect(result['stages']).toMatchObject([{ stage: 'probe', isKept: true }, { stage: 'self-train' }]);
    const { accuracy, interval } = result['estimate'] as { accuracy: number; interval: [number, number] };
    expect(interval[0]).toBeLessThanOrEqual(accuracy);
    expect(interval[1]).toBeGreaterThanOrEqual(accuracy);
    const told = await eventsOf('whole', 'plan-stage');
    expect(told.map(({ stage }) => stage)).toEqual(['gradients', 'probe', 'self-train']);
    // Tiles of one colour have none.
    expect(told[0]!['state']).toBe('dropped');
    expect(told[2]!['why']).toMatch(/chance that it is worse is \d+ %/);
    const report = await readFile(join(folder, 'whole', 'report.html'), 'utf8');
    expect(report).toContain('id="plan"');
    expect(report).toContain('From the labelled images alone');
  }, 120_000);

  it('ends with the same bytes when it was killed in the middle of rounds', async () => {
    const env = await slowMachine('cut');
    const { process: child, finished } = startGleaner(train('cut', ...BACKBONE), { env });
    await untilStage('cut', 'round-1-student');
    child.kill('SIGKILL');
    expect((await finished).signal).toBe('SIGKILL');
    const first = await readFile(join(folder, 'cut', 'model.onnx'));
    const resumed = await runGleaner(['train', '--resume', join(folder, 'cut'), '--json'], { env });
    expect(resumed.code, resumed.stderr).toBe(0);
    // The same decisions, the same run.
    const decisions = JSON.parse(await readFile(join(folder, 'cut', 'decisions.json'), 'utf8')) as object;
    await writeFile(join(folder, 'decisions.json'), JSON.stringify(decisions));
    const again = startGleaner(train('again', ...BACKBONE), { env });
    for (let i = 0; i < 1200 && (await eventsOf('again', 'stage')).length === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    again.process.kill('SIGKILL');
    await again.finished;
    await writeFile(join(folder, 'again', 'decisions.json'), JSON.stringify(decisions));
    const uncut = await runGleaner(['train', '--resume', join(folder, 'again'), '--json'], { env });
    expect(uncut.code, uncut.stderr).toBe(0);
    const [one, other] = await Promise.all(['cut', 'again'].map((name) => readFile(join(folder, name, 'model.onnx'))));
    expect(one!.equals(other!)).toBe(true);
    expect(one!.equals(first)).toBe(false);
  }, 240_000);

  it('shortens trainings that would end too late, as it decided', async () => {
    const env = await slowMachine('late');
    const { process: child, finished } = startGleaner(train('late', ...BACKBONE), { env });
    for (let i = 0; i < 1200 && (await eventsOf('late', 'plan-stage')).every(({ stage }) => stage !== 'probe'); i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    await finished;
    // As if the clock had said so after the first epoch, and ever since.
    const file = join(folder, 'late', 'decisions.json');
    const { spent, decisions } = JSON.parse(await readFile(file, 'utf8')) as Record<'spent' | 'decisions', object>;
    const before = Object.entries(decisions).filter(([name]) => !name.startsWith('pace of'));
    const paced = { epochs: 30, planned: 40, images: 30 };
    const every = Array.from({ length: 29 }, (_, i) => [`pace of self-train: round-1-student ${i + 1}`, paced]);
    const changed = Object.fromEntries([...before, ...every]) as object;
    await writeFile(file, JSON.stringify({ spent, decisions: changed }));
    const resumed = await runGleaner(['train', '--resume', join(folder, 'late'), '--json'], { env });
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toMatch(/slower than it was expected to be: round-1-student is of 30 epochs in place of 40/);
    const epochs = (await eventsOf('late', 'epoch')).filter(({ stage }) => stage === 'round-1-student');
    expect(epochs.at(-1)).toMatchObject({ epoch: 30, epochs: 30 });
    const told = (await eventsOf('late', 'plan-stage')).find(({ stage }) => stage === 'self-train')!;
    expect(told['why']).toMatch(/ 2\d % of the training was left out to end in time/);
  }, 240_000);

  it('ranks backbones, and distils the best to one of the wanted size', async () => {
    const env = await slowMachine('size');
    const flags = ['--backbone', `${backbone},${large}`, ...BACKBONE.slice(2)];
    const finished = await runGleaner(train('size', '--max-size', '40KB', ...flags), { env });
    expect(finished.code, finished.stderr).toBe(0);
    const told = await eventsOf('size', 'plan-stage');
    const why = new Map(told.map((event) => [event['stage'], String(event['why'])]));
    expect(why.get('rank')).toMatch(/Of 2 backbones on 18 labelled images: large.onnx .*LogME.*; backbone.onnx/);
    expect(why.get('size')).toMatch(
      /too large or slow for 40.0 KB.*the model is backbone.onnx, float32 of \d\d\.\d KB/,
    );
    expect(why.get('teachers')).toMatch(/large\.onnx/);
    const { stages, forms } = lastJson(finished) as { stages: { stage: string }[]; forms: { bytes: number }[] };
    expect(stages.at(-1)!.stage).toBe('distill');
    expect(forms[0]!.bytes).toBeLessThanOrEqual(40_000);
    // What to label next is asked of the features that the plan took, which saw no label: their curve is honest.
    const suggested = await runGleaner(['suggest', join(folder, 'size'), '-n', '3', '--json'], { env });
    expect(suggested.code, suggested.stderr).toBe(0);
    expect(lastJson(suggested)).toMatchObject({ labels: 18, learningCurve: { now: { labels: 18 } } });
    const refused = await runGleaner(train('refused', '--max-size', '1KB', ...flags), { env });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/No network at hand meets 1.0 KB; the nearest is int8 of .* KB/);
  }, 300_000);

  it('trains all of a network whose head knows nothing: it teaches, unless it is proven to know nothing either', async () => {
    const stagesOf = async (name: string, faster: Partial<Record<Timed, number>>): Promise<unknown[]> => {
      const env = await slowMachine(name, faster);
      const finished = await runGleaner(train(name, ...BACKBONE).toSpliced(1, 1, noise), { env });
      expect(finished.code, finished.stderr).toBe(0);
      const [remark] = await eventsOf(name, 'plan-remark');
      expect(remark!['message']).toMatch(
        /backbone.onnx tell the classes apart no better than chance \(\d+\.\d % right out of fold\).*All of it is trained/,
      );
      const told = (await eventsOf(name, 'plan-stage')).map(({ stage }) => stage);
      return told.slice(told.indexOf('probe'));
    };
    expect(await stagesOf('unproven', {})).toEqual(['probe', 'finetune', 'self-train']);
    const proven = await stagesOf('proven', { finetune: 0.02, fixmatch: 10 });
    expect(proven.slice(0, 3)).toEqual(['probe', 'finetune', 'supervised']);
    expect(proven).not.toContain('self-train');
  }, 240_000);

  it('goes from labels alone to unlabelled images where there is no backbone', async () => {
    const env = await slowMachine('scratch');
    const finished = await runGleaner(
      train('scratch', '--model', 'digits', '--input-size', '12').toSpliced(1, 1, few),
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    expect(lastJson(finished)['stages']).toMatchObject([
      { stage: 'supervised', accuracy: expect.any(Number) },
      { stage: 'fixmatch', accuracy: expect.any(Number) },
    ]);
    expect(await eventsOf('scratch', 'consistency')).not.toHaveLength(0);
  }, 240_000);

  it('learns from labels that spread among images alike, where these are often right', async () => {
    const env = await slowMachine('spread');
    const finished = await runGleaner(
      train('spread', '--model', 'digits_16', '--input-size', '14').toSpliced(1, 1, stripes),
      { env },
    );
    expect(finished.code, finished.stderr).toBe(0);
    const result = lastJson(finished);
    expect(result['stages']).toMatchObject([{ stage: 'supervised' }, { stage: 'spread', isKept: true }]);
    expect(result['accuracy']).toBeGreaterThan(0.9);
    const told = (await eventsOf('spread', 'plan-stage')).find(({ stage }) => stage === 'spread');
    expect(told!['why']).toMatch(/alike in their gradients are right for 100 % of labelled images held out/);
    expect(told!['why']).toMatch(/(\d) of \1 rounds/);
    const labels = await readFile(join(folder, 'spread', 'pseudo-labels', 'round-1.csv'), 'utf8');
    expect(labels.split('\n')).toHaveLength(62);
  }, 240_000);
});

describe('data that no plan helps', () => {
  it('are refused in a sentence that says what to do', async () => {
    const copies = join(folder, 'copies');
    const single = join(folder, 'single');
    for (const colour of ['blue', 'red']) {
      const image = join(data, 'train', colour, '0.png');
      await mkdir(join(copies, colour), { recursive: true });
      await mkdir(join(single, colour), { recursive: true });
      for (let i = 0; i < 4; i++) await cp(image, join(copies, colour, `${i}.png`));
      await cp(image, join(single, colour, '0.png'));
    }
    for (const [of, why] of [
      [copies, /too few, as copies count as one, to hold any out for the score. Add other images/],
      [single, /too few to hold any out for the score. Add images/],
    ] as const) {
      const refused = await runGleaner(['train', of, '--out', join(folder, 'refused'), ...BACKBONE]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(why);
    }
  }, 60_000);
});
