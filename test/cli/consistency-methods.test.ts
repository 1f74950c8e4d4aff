import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import type { Evidence } from '../../src/recipes/evidence/evidence.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
const train = (run: string, ...flags: string[]): string[] => [
  'train',
  data,
  '--out',
  join(folder, run),
  ...'--json --threads 1 --model digits_16 --batch-size 3 --mu 3 --folds 0'.split(' '),
  ...flags,
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-consistency-methods-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 2, test: 8, unlabeled: 24 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner train --method fixmatch and its like', () => {
  // The curriculum has a memory of each image, the average is a second network in the step.
  it.each([
    ['flexmatch', []],
    ['freematch', ['--labeller', 'average']],
  ])(
    '%s %j learns, and ends with the same bytes when it was killed and resumed',
    async (method, flags) => {
      const asked = ['--method', method, '--steps', '40', '--threshold', '0.8', ...flags].filter(
        (flag) => method === 'flexmatch' || (flag !== '--threshold' && flag !== '0.8'),
      );
      const whole = await runGleaner(train(`${method}-whole`, ...asked));
      expect(whole.code, whole.stderr).toBe(0);
      expect(lastJson(whole)['accuracy']).toBeGreaterThan(0.9);
      expect(whole.stdout).toMatch(/With 24 unlabelled images/);
      expect(whole.stdout).toMatch(/About \d+ seconds for scratch: 40 steps/);
      const events = await eventsOf(`${method}-whole`);
      const seen = events.filter(({ type }) => type === 'consistency');
      expect(seen).toHaveLength(40);
      for (const { used, confidence, threshold, classesUsed } of seen as Record<string, number>[]) {
        for (const share of [used!, confidence!, threshold!]) expect(share >= 0 && share <= 1.001).toBe(true);
        expect(classesUsed! >= 0.99 && classesUsed! <= 3.01).toBe(true);
      }
      expect(await readFile(join(folder, `${method}-whole`, 'report.html'), 'utf8')).toContain(
        'Labels of unlabelled images',
      );

      const labels = (await readFile(join(folder, `${method}-whole`, 'pseudo-labels', 'final.jsonl'), 'utf8')).trim();
      const evidence = labels.split('\n').map((line) => JSON.parse(line) as Evidence);
      // Unlabelled image i shows colour i mod 3.
      const right = evidence.filter(
        ({ file, label }) => label === ['blue', 'green', 'red'][Number(/(\d+)\.png/.exec(file)![1]) % 3],
      );
      expect(evidence).toHaveLength(24);
      expect(right.length).toBeGreaterThan(21);
      expect(evidence.every(({ neighbours }) => neighbours.labelled.length === 3)).toBe(true);
      expect(evidence.some(({ used }) => used)).toBe(true);

      const cut = startGleaner(train(`${method}-cut`, ...asked));
      // In the middle of an epoch: what was not saved is done again.
      while ((await eventsOf(`${method}-cut`)).filter(({ type }) => type === 'consistency').length < 12)
        await new Promise((resolve) => setTimeout(resolve, 20));
      cut.process.kill('SIGKILL');
      expect((await cut.finished).signal).toBe('SIGKILL');
      const resumed = await runGleaner(['train', '--resume', join(folder, `${method}-cut`), '--json']);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await modelOf(`${method}-cut`)).toEqual(await modelOf(`${method}-whole`));
    },
    300_000,
  );

  it('fine-tunes a backbone whose frozen statistics stay, and calibrates on folds where asked', async () => {
    const backbone = join(folder, 'backbone.onnx');
    await writeFile(backbone, writeModel({ graph: buildModel('digits', { classes: 5, seed: 1, width: 8 }).graph }));
    const asked = '--method adamatch --labeller average --steps 6 --freeze stage1.* --mean 127.5 --std 127.5';
    const given = train('backbone', '--backbone', backbone, ...asked.split(' ')).filter(
      (flag) => flag !== '--model' && flag !== 'digits_16',
    );
    const { code, stdout, stderr } = await runGleaner([
      ...given.filter((flag) => flag !== '--folds' && flag !== '0'),
      '--folds',
      '2',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('batch norm frozen');
    const stages = (await eventsOf('backbone')).filter(({ type }) => type === 'consistency').map(({ stage }) => stage);
    expect([...new Set(stages)]).toEqual(['finetune', 'fold-1', 'fold-2']);
    const metrics = JSON.parse(await readFile(join(folder, 'backbone', 'metrics.json'), 'utf8')) as object;
    expect(metrics).toMatchObject({ calibratedOn: 'out-of-fold predictions of 6 labelled images' });
    const config = JSON.parse(await readFile(join(folder, 'backbone', 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ method: 'adamatch' });
  }, 300_000);

  it('trains on mixed images by mixmatch', async () => {
    const { code, stdout, stderr } = await runGleaner(train('mixed', '--method', 'mixmatch', '--steps', '12'));
    expect(code, stderr).toBe(0);
    // Three samples of a labelled image and three unlabelled ones in two views, as they are and mixed.
    expect(stdout).toContain('12 steps of 39 views; weak views mixed');
  });

  it('warns where no label passes the threshold for long', async () => {
    const { code, stdout } = await runGleaner(
      train('unused', '--method', 'fixmatch', '--steps', '10', '--threshold', '1', '--lr', '0.0001'),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/hardly any label of an unlabelled image passed the threshold of 1\.00/);
    const events = await eventsOf('unused');
    expect(events.find(({ type }) => type === 'consistency-alarm')).toMatchObject({ reason: 'few-labels' });
  });

  it('says that it needs unlabelled images', async () => {
    const bare = join(folder, 'bare');
    await mkdir(bare);
    await writeColourData(bare, { train: 3, test: 3 });
    const { code, stderr } = await runGleaner(['train', bare, '--method', 'fixmatch']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--method fixmatch learns from unlabelled images, and .*bare has none/);
  });

  it('says which class has no label', async () => {
    const list = join(folder, 'list.txt');
    await writeFile(list, 'train/red/0.png\ntrain/blue/1.png\n');
    const { code, stderr } = await runGleaner(['train', data, '--method', 'fixmatch', '--labels-list', list]);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(/would label images of green as other classes/);
  });

  it.each([
    [['--mu', '3'], /"mu" goes with a method that learns from unlabelled images/],
    [['--method', 'freematch', '--threshold', '0.9'], /--threshold has no effect with --method freematch/],
    [['--method', 'fixmatch', '--augment', 'flip'], /"augment" has no place with method "fixmatch"/],
    [['--method', 'fixmatch', '--strong', 'evaluationcrop|cutmix(1)'], /mixes images/],
    [['--method', 'fixmatch', '--weak', 'no-such'], /no-such/],
    [['--method', 'fixmatch', '--steps', '5', '--epochs', '2'], /"epochs" has no place/],
    [['--method', 'fixmach'], /fixmatch/],
    [['--method', 'mixmatch', '--strong', 'evaluationcrop'], /--strong has no place/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runGleaner(['train', data, '--out', join(folder, 'refused'), ...flags]);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});

async function eventsOf(run: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(folder, run, 'events.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function modelOf(run: string): Promise<Buffer> {
  return readFile(join(folder, run, 'model.onnx'));
}
