import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/images/decode.ts';
import { writeColourData } from '../support/colour-data.ts';
import { lastJson, runGleaner, startGleaner } from '../support/run-gleaner.ts';

let folder: string;
let data: string;
const POLICY = 'randomresizedcrop(scale=0.4..1)|flip|augmix(1)';
const train = (run: string, ...flags: string[]): string[] => {
  const fixed = '--json --threads 1 --epochs 12 --batch-size 4 --accumulate 2 --val 0.34';
  return ['train', data, '--out', join(folder, run), '--augment', POLICY, ...fixed.split(' '), ...flags];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-consistency-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 8 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gleaner train --consistency', () => {
  it('trains, and ends with the same bytes when it was killed and resumed; the views can be made again', async () => {
    const whole = join(folder, 'whole');
    const finished = await runGleaner(train('whole', '--consistency', '12'));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stdout).toContain('consistency of views 12');
    expect(lastJson(finished)['accuracy']).toBeGreaterThan(0.9);
    const config = JSON.parse(await readFile(join(whole, 'config.json'), 'utf8')) as { options: object };
    expect(config.options).toMatchObject({ augment: POLICY, consistency: 12 });
    const losses = await lossesOf(whole);
    expect(losses).toHaveLength(12);
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);

    const { process: child, finished: cut } = startGleaner(train('cut', '--consistency', '12'));
    while ((await lossesOf(join(folder, 'cut'))).length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    expect((await cut).signal).toBe('SIGKILL');
    const resumed = await runGleaner(['train', '--resume', join(folder, 'cut'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await modelOf('cut')).toEqual(await modelOf('whole'));
    // The event of an epoch may stand twice, once from before it was killed.
    expect([...new Set(await lossesOf(join(folder, 'cut')))]).toEqual(losses);

    const plain = await runGleaner(train('plain'));
    expect(plain.code, plain.stderr).toBe(0);
    expect(await modelOf('plain')).not.toEqual(await modelOf('whole'));

    const out = join(folder, 'replay.png');
    const replay = ['augment', 'replay', whole, 'train/red/1.png', '--epoch', '2', '--threads', '1'];
    const replayed = lastJson(await runGleaner([...replay, '--out', out, '--json']));
    const images = replayed['images'] as { view: number; step: number; file: string; labels: unknown }[];
    expect(images.length % 3).toBe(0);
    expect(images.map(({ view }) => view)).toEqual(images.map((_, i) => i % 3));
    expect(images[0]).toMatchObject({ labels: [{ className: 'red', share: 1 }] });
    const [clean, first, second] = await Promise.all(images.map(async ({ file }) => (await decodeImage(file)).data));
    expect(first).not.toEqual(clean);
    expect(second).not.toEqual(clean);
    expect(second).not.toEqual(first);
    const told = await runGleaner([...replay, '--out', out]);
    expect(told.stdout).toMatch(/replay\.png: epoch 2, step \d, view 0 \(without augmix\), 100\.0 % red/);
    expect(told.stdout).toMatch(/replay-3\.png: epoch 2, step \d, view 2, 100\.0 % red/);
  });

  it.each([
    [['--consistency', '12', '--augment', 'randomresizedcrop|flip'], /with and without augmix/],
    [['--consistency', '12', '--augment', 'randomresizedcrop|augmix|cutmix(1)'], /mixes several/],
    [['--consistency', '0'], /consistency/],
    [['--consistency', 'much'], /number/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runGleaner(train('refused', ...flags));
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});

/** Of the epochs so far of the training that gives the model. */
async function lossesOf(run: string): Promise<number[]> {
  const text = await readFile(join(run, 'events.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  const events = lines.map((line) => JSON.parse(line) as { type: string; stage?: string; loss?: number });
  return events.flatMap(({ type, stage, loss }) => (type === 'epoch' && stage === 'scratch' ? [loss!] : []));
}

function modelOf(run: string): Promise<Buffer> {
  return readFile(join(folder, run, 'model.onnx'));
}
