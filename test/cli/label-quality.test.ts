import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../src/models/registry.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
let backbone: string;
const common = ['--json', '--threads', '1'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-cli-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 8, test: 6, unlabeled: 9 });
  backbone = join(folder, 'backbone.onnx');
  const { graph } = buildModel('digits', { classes: 5, seed: 3, inputSize: 28 });
  await writeFile(backbone, writeModel({ graph }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const preprocessing = ['--mean', '127.5', '--std', '127.5'];

describe('gleaner data labels', () => {
  it('finds a photo in the wrong folder, by a backbone, and shows it', async () => {
    const wrong = join(folder, 'wrong');
    await cp(data, wrong, { recursive: true });
    await rename(join(wrong, 'train/red/0.png'), join(wrong, 'train/blue/strange.png'));
    const [html, csv] = [join(folder, 'labels.html'), join(folder, 'labels.csv')];
    const files = ['--html', html, '--csv', csv];
    const finished = await runGleaner(['data', 'labels', wrong, '--backbone', backbone, ...preprocessing, ...files, ...common]); // prettier-ignore
    expect(finished.stderr).not.toMatch(/Error|undefined/);
    expect(finished.code).toBe(0);
    const result = lastJson(finished);
    expect(result).toMatchObject({ type: 'result', images: 24, suspected: 1 });
    expect(result['issues']).toMatchObject([
      { file: 'train/blue/strange.png', label: 'blue', probable: 'red', suspected: true },
    ]);
    expect(await readFile(html, 'utf8')).toMatch(/train\/blue\/strange\.png: probably red/);
    const rows = (await readFile(csv, 'utf8')).trim().split('\n');
    expect(rows).toHaveLength(25);
    expect(rows[1]).toMatch(/^train\/blue\/strange\.png,blue,train,red,0\.\d+,0\.\d+,yes$/);
  });

  it('judges without a backbone, by networks trained from scratch, and leaves nothing behind', async () => {
    const flags = ['--model', 'digits', '--epochs', '12', '--folds', '2'];
    const finished = await runGleaner(['data', 'labels', data, ...flags, ...common]);
    expect(finished.code).toBe(0);
    expect(lastJson(finished)).toMatchObject({ type: 'result', images: 24, suspected: 0 });
  });

  it('says in a sentence what it needs', async () => {
    const one = join(folder, 'one');
    await writeColourData(one, { train: 1, test: 1 });
    const finished = await runGleaner(['data', 'labels', one, '--backbone', backbone, ...preprocessing, ...common]);
    expect(finished.code).toBe(2);
    expect(finished.stderr).toContain('needs a class of two images that are no copies of each other');
    const both = await runGleaner(['data', 'labels', data, '--backbone', backbone, '--epochs', '3', ...common]);
    expect([both.code, both.stderr.includes('"epochs" has no effect with a backbone')]).toEqual([2, true]);
  });
});

describe('gleaner suggest and train --continue', () => {
  let run: string;
  let list: string;

  beforeAll(async () => {
    run = join(folder, 'run');
    list = join(folder, 'list.csv');
    const method = ['--method', 'probe', '--backbone', backbone, ...preprocessing];
    expect((await runGleaner(['train', data, ...method, '--out', run, ...common])).code).toBe(0);
  });

  it('writes a list with reasons, and what the labels should bring', async () => {
    const finished = await runGleaner(['suggest', run, '-n', '4', '--out', list, ...common]);
    expect(finished.stderr).not.toMatch(/Error|undefined/);
    expect(finished.code).toBe(0);
    const result = lastJson(finished);
    expect(result).toMatchObject({ type: 'result', labels: 24, unlabeled: 9, list });
    expect(result['learningCurve']).toMatchObject({ now: { labels: 24 }, next: { labels: 28 } });
    const files = (result['suggestions'] as { file: string; reason: string }[]).map(({ file }) => file);
    expect(new Set(files).size).toBe(4);
    expect(files.every((file) => file.startsWith('unlabeled/'))).toBe(true);
    const rows = (await readFile(list, 'utf8')).trim().split('\n');
    expect(rows[0]).toBe('path,label,likely,probability,reason');
    expect(rows.slice(1).map((row) => row.split(',').slice(0, 2))).toEqual(files.map((file) => [file, '']));
  });

  it('goes on with the list filled in', async () => {
    const filled = join(folder, 'filled.csv');
    // As in writeColourData: blue, green, red by turns.
    const colours = ['blue', 'green', 'red'];
    const text = (await readFile(list, 'utf8')).replaceAll(/unlabeled\/(\d)\.png,,/g, (_, i: string) => `unlabeled/${i}.png,${colours[Number(i) % 3]},`); // prettier-ignore
    await writeFile(filled, text);
    const next = join(folder, 'next');
    const finished = await runGleaner(['train', '--continue', run, '--labels', filled, '--out', next, ...common]);
    expect(finished.code).toBe(0);
    expect(lastJson(finished)).toMatchObject({ run: next, n: 18, scoredOn: 'test', accuracy: 1 });
    const config = JSON.parse(await readFile(join(next, 'config.json'), 'utf8')) as {
      options: Record<string, unknown>;
    };
    expect(config.options).toMatchObject({ method: 'probe', labelFiles: [filled] });
    // The new labels are in, and asked about no more.
    const again = lastJson(await runGleaner(['suggest', next, '-n', '9', ...common]));
    expect(again).toMatchObject({ labels: 28, unlabeled: 5 });
  });

  it('lists every line that can not be taken, with its number', async () => {
    const bad = join(folder, 'bad.csv');
    await writeFile(
      bad,
      'path,label\nunlabeled/0.png,blu\nnowhere.png,red\ntest/red/0.png,red\ntrain/red/1.png,blue\nunlabeled/1.png,red\nunlabeled/1.png,blue\n',
    );
    const finished = await runGleaner(['train', '--continue', run, '--labels', bad, ...common]);
    expect(finished.code).toBe(2);
    for (const message of [
      'line 2: "blu" is no class of the data (did you mean "blue"?)',
      'line 3: nowhere.png is not in the data',
      'line 4: test/red/0.png is in test, which nothing is learnt from',
      'line 5: train/red/1.png has the label "red" in the data, and not "blue"',
      `line 7: unlabeled/1.png has the label "red" on line 6 of ${bad}, and not "blue"`,
    ])
      expect(finished.stderr).toContain(message);
  });

  it('refuses an empty list, and data beside the run', async () => {
    const empty = await runGleaner(['train', '--continue', run, '--labels', list, ...common]);
    expect([empty.code, empty.stderr.includes('gives no label')]).toEqual([2, true]);
    const both = await runGleaner(['train', data, '--continue', run, '--labels', list, ...common]);
    expect([both.code, both.stderr.includes('leave out DATA')]).toEqual([2, true]);
    const none = await runGleaner(['suggest', join(folder, 'nowhere'), ...common]);
    expect([none.code, none.stderr.includes('There is no run in')]).toEqual([2, true]);
  });
});

describe('gleaner train --loss', () => {
  it('trains by a robust loss, and refuses one that would have no effect', async () => {
    const flags = ['--model', 'digits', '--epochs', '12', '--folds', '0'];
    const run = join(folder, 'gce');
    const result = lastJson(await runGleaner(['train', data, ...flags, '--loss', 'gce', '--out', run, ...common]));
    expect(result['accuracy']).toBeGreaterThan(0.9);
    const refused = await runGleaner(['train', data, '--method', 'probe', '--backbone', backbone, '--loss', 'gce', ...common]); // prettier-ignore
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('The loss "gce" has no effect with method "probe"');
  });

  it('takes the soft labels of several annotators, in a probe and in training', async () => {
    const manifest = join(data, 'annotators.csv');
    // One image a class stands there once, without an annotator; ben takes the first of each class for red.
    const rows = ['red', 'green', 'blue'].flatMap((name) => [
      `train/${name}/7.png,${name},`,
      ...[0, 1, 2, 3, 4, 5, 6].flatMap((i) => [
        `train/${name}/${i}.png,${name},anna`,
        `train/${name}/${i}.png,${i === 0 ? 'red' : name},ben`,
      ]),
    ]);
    await writeFile(manifest, ['path,label,annotator', ...rows, ''].join('\n'));
    const checked = lastJson(await runGleaner(['data', 'check', manifest, '--json']));
    expect(checked['annotation']).toMatchObject({ shared: 21, disagreements: [{ labels: { ben: 'red' } }, {}] });
    const probe = ['--method', 'probe', '--backbone', backbone, ...preprocessing];
    for (const how of [probe, ['--model', 'digits', '--epochs', '12', '--folds', '2']]) {
      const out = join(folder, `annotated-${how.length}`);
      const result = lastJson(await runGleaner(['train', manifest, ...how, '--out', out, ...common]));
      expect(result['accuracy']).toBeGreaterThan(0.7);
    }
  });
});
