import { copyFile, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

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
  });

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
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runGleaner(pretrain('refused', ...flags));
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
