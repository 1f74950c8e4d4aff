import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-data-'));
  data = join(folder, 'data');
  env = { GLEANER_CACHE: join(folder, 'cache') };
  await writeColourData(data, { train: 6, test: 4, unlabeled: 3 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner data', () => {
  it('trains on Parquet that it wrote with groups, and scores on it as on the folder', async () => {
    const parquet = join(folder, 'all.parquet');
    const group = ['--group', '^(train/.*[0-2]|test/.*|unlabeled/[01])\\.png$'];
    const exported = await runGleaner(
      ['data', 'export', data, '--format', 'parquet', '--out', parquet, '--json', ...group],
      { env },
    );
    expect(exported.code, exported.stderr).toBe(0);
    expect(lastJson(exported)).toMatchObject({ type: 'result', images: 33, labelled: 30, machineLabelled: 0 });

    const run = join(folder, 'run');
    const trained = await runGleaner(
      ['train', parquet, '--group', 'group', '--epochs', '2', '--folds', '2', '--threads', '1', '--out', run, '--json'],
      { env },
    );
    expect(trained.code, trained.stderr).toBe(0);
    expect(lastJson(trained)).toMatchObject({ n: 12, scoredOn: 'test' });
    const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')) as { options: object };
    expect(config.options).toMatchObject({ group: 'group', data: parquet });

    const model = join(run, 'model.onnx');
    const scores = await Promise.all(
      [parquet, data].map(async (of) =>
        lastJson(await runGleaner(['evaluate', model, of, '--json', '--threads', '1'], { env })),
      ),
    );
    expect(scores[0]!['n']).toBe(12);
    expect(scores[0]!['confusion']).toEqual(scores[1]!['confusion']);

    const listed = await runGleaner(
      ['data', 'export', run, '--format', 'coco', '--out', join(folder, 'out', 'run.json'), '--json'],
      { env },
    );
    expect(listed.code, listed.stderr).toBe(0);
    expect(lastJson(listed)).toMatchObject({ images: 33, imagesFolder: join(folder, 'out', 'run-images') });
    const checked = lastJson(
      await runGleaner(['data', 'check', join(folder, 'out', 'run.json'), '--group', 'group', '--json'], { env }),
    );
    expect(checked).toMatchObject({ layout: 'manifest', images: { train: 18, test: 12, unlabeled: 3 }, groups: 23 });
  });

  it('reports groups in two parts of the data', async () => {
    const finished = await runGleaner(['data', 'check', data, '--group', '(\\d)\\.png$', '--json'], { env });
    expect(finished.code, finished.stderr).toBe(0);
    const { groups, leaks } = lastJson(finished) as { groups: number; leaks: { group?: string }[] };
    expect(groups).toBe(6);
    // Of the numbers 0 to 3 there are three images in test and in train each, of 0 to 2 one in unlabeled.
    expect(leaks.filter(({ group }) => group !== undefined).length).toBe(4 * 3 + 3);
  });

  it('ends with 2 and one sentence for several labels an image, and for a path out of the folder', async () => {
    const file = join(folder, 'data', 'coco.json');
    const coco = (file_name: string, classes: readonly number[]): string =>
      JSON.stringify({
        images: [{ id: 1, file_name }],
        annotations: classes.map((category_id, id) => ({ id, image_id: 1, category_id })),
        categories: [1, 2].map((id) => ({ id, name: `class ${id}` })),
      });
    await writeFile(file, coco('train/red/0.png', [1, 2]));
    const several = await runGleaner(['data', 'check', file], { env });
    expect([several.code, several.stdout]).toEqual([2, '']);
    expect(several.stderr).toMatch(
      /^gleaner: \S+coco\.json, image 1: "train\/red\/0\.png" has 2 labels .*one label an image is supported.*\n$/,
    );
    await writeFile(file, coco('../../etc/passwd', [1]));
    const outside = await runGleaner(['train', file, '--out', join(folder, 'never')], { env });
    expect([outside.code, existsSync(join(folder, 'never'))]).toEqual([2, false]);
    expect(outside.stderr).toMatch(/image 1: "\.\.\/\.\.\/etc\/passwd" leads out of the manifest's folder/);
  });
});
