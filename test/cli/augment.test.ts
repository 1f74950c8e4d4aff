import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/images/decode.ts';
import { readEvents } from '../../src/train/events.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-augment-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 8, test: 4, unlabeled: 2 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner train --augment', () => {
  const policy = 'randomresizedcrop(scale=0.5..1)|randaugment(1,6)|cutmix(1,p=0.7,off=1)|repeat(2)';
  const flags = ['--json', '--threads', '1', '--epochs', '3', '--folds', '2', '--augment', policy];

  it('trains on mixed labels; a training image can be made again as the network saw it', async () => {
    const run = join(folder, 'mixed');
    const trained = await runGleaner(['train', data, '--out', run, ...flags]);
    expect(trained.stderr).not.toMatch(/Error|undefined/);
    expect(trained.code).toBe(0);
    const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'));
    expect(config.options.augment).toBe(policy);

    const images = new Set<string>();
    const shares: number[] = [];
    for (let i = 0; i < 8 && images.size < 2; i++) {
      const id = `train/red/${i}.png`;
      const seen = [];
      for (const threads of ['1', '4']) {
        const out = join(folder, `replay-${i}-${threads}.png`);
        const args = ['augment', 'replay', run, id, '--epoch', '1', '--threads', threads, '--out', out, '--json'];
        const replayed = await runGleaner(args);
        expect(replayed.stderr).toBe('');
        const result = lastJson(replayed) as {
          images: { file: string; labels: { className: string; share: number }[] }[];
        };
        // Half of the images stand in an epoch, each twice.
        expect([0, 2]).toContain(result.images.length);
        seen.push(
          await Promise.all(
            result.images.map(async ({ file }) => Buffer.from((await decodeImage(file)).data).toString('base64')),
          ),
        );
        for (const { labels } of result.images) {
          expect(labels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
          shares.push(...labels.map(({ share }) => share));
        }
      }
      expect(seen[0]).toEqual(seen[1]);
      for (const one of seen[0]!) images.add(one);
    }
    expect(images.size).toBeGreaterThan(1);
    expect(shares.some((share) => share > 0 && share < 1)).toBe(true);
  }, 120_000);

  it('refuses, before anything starts, what can not be meant', async () => {
    const out = join(folder, 'never');
    for (const [given, message] of [
      [['--augment', 'randomresizedcrop|rotat(5)'], 'character 19, "rotat"'],
      [['--augment', 'flip'], 'needs a crop'],
      [['--augment', "randomresizedcrop|only('blau',flip)"], "names the class 'blau'"],
      [['--augment', 'randomresizedcrop', '--flip', 'on'], 'leave "flip" and "cropScale" out'],
    ] as const) {
      const refused = await runGleaner(['train', data, '--out', out, ...given]);
      expect(refused.stderr).toContain(message);
      expect(refused.code).toBe(2);
      expect(existsSync(join(out, 'model.onnx'))).toBe(false);
      await rm(out, { recursive: true, force: true });
    }
  });
});

describe('gleaner augment', () => {
  it('draws pages and pictures that need no network', async () => {
    const page = join(folder, 'grid.html');
    const drawn = await runGleaner([
      'augment',
      data,
      '--policy',
      'randomresizedcrop|mixup(1)',
      '--out',
      page,
      '--photos',
      '3',
      '--draws',
      '2',
      '--size',
      '32',
      '--json',
    ]);
    expect(drawn.code).toBe(0);
    const { rows } = lastJson(drawn) as { rows: { title: string; captions: string[] }[] };
    expect(rows).toHaveLength(3);
    expect(rows[0]!.captions).toHaveLength(3);
    expect(rows[0]!.captions[1]).toMatch(/^mixup: \d+ % \w+/);
    const html = await readFile(page, 'utf8');
    expect(html.match(/<img /g)).toHaveLength(9);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);

    const picture = join(folder, 'operations.png');
    const shown = await runGleaner([
      'augment',
      data,
      '--operations',
      'rotate',
      'flip',
      '--photos',
      '1',
      '--size',
      '32',
      '--out',
      picture,
      '--json',
    ]);
    expect(shown.code).toBe(0);
    const captions = (lastJson(shown) as { rows: { captions: string[] }[] }).rows.map((row) => row.captions);
    expect(captions).toEqual([
      expect.arrayContaining(['magnitude -30', 'as it is', 'magnitude 30']),
      ['as it is', 'flip'],
    ]);
    expect((await decodeImage(picture)).width).toBeGreaterThan(9 * 128);

    const steps = await runGleaner([
      'augment',
      data,
      '--policy',
      'randomresizedcrop|rotate(20)|invert(p=1)',
      '--steps',
      '--photos',
      '1',
      '--size',
      '32',
      '--out',
      page,
      '--json',
    ]);
    expect((lastJson(steps) as { rows: { captions: string[] }[] }).rows[0]!.captions).toEqual([
      'as it is',
      'randomresizedcrop',
      'rotate(-20..20)',
      'invert(p=1)',
    ]);
  });

  it.each([
    [['--policy', 'flip', '--out', 'x.gif'], '.html or a .png'],
    [['--policy', 'flipp'], 'did you mean "flip"'],
    [['--steps'], 'give one'],
    [['--operations', 'nothing'], 'no operation "nothing"'],
    [['--policy', 'flip|cutmix(1)', '--size', '64'], 'needs a crop'],
  ])('refuses %s', async (given, message) => {
    const refused = await runGleaner(['augment', data, ...given]);
    expect(refused.stderr).toContain(message);
    expect(refused.code).toBe(2);
  });
});

describe('gleaner augment search', () => {
  const flags = [
    '--json',
    '--threads',
    '1',
    '--epochs',
    '8',
    '--images',
    '18',
    '--minutes',
    '0.3',
    '--allow',
    'rotate',
    'brightness',
    'flip',
  ];

  it('finds a policy with its evidence, and goes on after a kill without doing a trial twice', async () => {
    const run = join(folder, 'search');
    const killed = startGleaner(['augment', 'search', data, '--out', run, ...flags]);
    const trials = async () => (await readEvents(join(run, 'events.jsonl'))).filter(({ type }) => type === 'trial');
    for (let waited = 0; waited < 600 && (await trials()).length < 2; waited++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    killed.process.kill('SIGKILL');
    await killed.finished;
    const before = await trials();
    expect(before.length).toBeGreaterThanOrEqual(2);

    const resumed = await runGleaner(['augment', 'search', '--resume', run, '--json']);
    expect(resumed.stderr).not.toMatch(/Error/);
    expect(resumed.code).toBe(0);
    const result = lastJson(resumed) as Record<string, never>;
    const after = await trials();
    const keys = after.map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.slice(0, before.length)).toEqual(before.map(({ key }) => key));
    expect(result).toMatchObject({
      type: 'result',
      run,
      arms: [{ name: 'base' }, { name: 'trivialaugment' }, { name: 'random' }, { name: 'searched' }],
    });
    expect(JSON.parse(await readFile(join(run, 'policy.json'), 'utf8'))).toMatchObject({ policy: result['policy'] });

    // No image of the test part, and none that the gain is stated on, was in a trial of the search.
    const parts = new Set(after.map(({ part }) => part));
    expect([...parts].toSorted()).toEqual(['confirm', 'fold-1', 'fold-2', 'fold-3']);
    // From scratch, short trials on folds go on from a network that saw crops alone; full ones begin anew.
    for (const { key, epochs } of after) expect(String(key).endsWith(', on"]'), String(key)).toBe(epochs !== 8);
    expect(after.some(({ epochs }) => epochs !== 8)).toBe(true);
    expect(result['space']).toMatchObject({ mixings: ['cutmix(1,p=0.5)', 'mixup(0.2,p=0.5)'] });
  }, 180_000);

  it('shows what the data bears', async () => {
    const page = join(folder, 'safety.html');
    const probed = await runGleaner([
      'augment',
      'safety',
      data,
      '--json',
      '--threads',
      '1',
      '--epochs',
      '12',
      '--images',
      '18',
      '--out',
      join(folder, 'safety'),
      '--page',
      page,
    ]);
    expect(probed.code).toBe(0);
    const { views } = lastJson(probed) as { views: { operation: string; verdict: string; level: number }[] };
    // Colour is the class here.
    const verdict = (name: string) => views.find(({ operation }) => operation === name)!.verdict;
    expect(verdict('invert')).not.toBe('safe');
    expect(verdict('grayscale')).not.toBe('safe');
    expect(await readFile(page, 'utf8')).toContain('grayscale at magnitude 30');
  }, 120_000);

  it('refuses options without effect', async () => {
    for (const [given, message] of [
      [['--augment', 'flip'], 'unknown option'],
      [['--method', 'probe'], 'no augmentation to search'],
      [['--allow', 'rotat'], 'did you mean "rotate"'],
      [['--allow', 'cutmix'], 'There is no operation "cutmix"'],
      [['--deny', 'cutmx'], 'did you mean "cutmix"'],
      [['--minutes', '0'], 'Expected'],
    ] as const) {
      const refused = await runGleaner(['augment', 'search', data, ...given]);
      expect(refused.stderr).toContain(message);
      expect(refused.code).toBe(2);
    }
  });
});
