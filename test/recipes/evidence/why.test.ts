import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../../src/images/encode.ts';
import { why } from '../../../src/recipes/evidence/why.ts';
import { whyPage } from '../../../src/recipes/evidence/why-page.ts';

let folder: string;
let run: string;
const line = (file: string, round: string, more: object = {}) => ({
  file,
  label: 'cat',
  probability: 0.9,
  chance: 0.75,
  agreement: 1,
  outlierScore: null,
  used: true,
  weight: 1,
  reason: 'probability 0.900',
  model: 'net',
  round,
  neighbours: { labelled: [{ file: 'b/1.png', label: 'dog', similarity: 0.5 }], machine: [] },
  later: [],
  ...more,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-why-'));
  run = join(folder, 'run');
  // A manifest: its images lie beside it.
  const data = join(folder, 'data');
  for (const part of ['a', 'b']) await mkdir(join(data, part), { recursive: true });
  const pixels = { width: 8, height: 8, channels: 3 as const, data: new Uint8Array(192).fill(90) };
  for (const file of ['a/1.png', 'b/1.png', 'a/new\nline.png'])
    await writeFile(join(data, file), await encodePng(pixels));
  await writeFile(join(data, 'list.csv'), 'file,label\n');
  await mkdir(join(run, 'pseudo-labels'), { recursive: true });
  await writeFile(
    join(run, 'config.json'),
    JSON.stringify({ dataFingerprint: 'x', gleaner: '1', options: { data: join(data, 'list.csv') } }),
  );
  const round = (name: string, rows: object[]) =>
    writeFile(join(run, 'pseudo-labels', `${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const files = ['a/1.png', 'b/2.png', 'c/2.png', 'a/new\nline.png'];
  await round('round-10', files.map((file) => line(file, 'round-10', { used: false, label: 'dog' }))); // prettier-ignore
  const later = [{ round: 'round-10', label: 'dog', used: false, what: 'label changed' }];
  await round('round-2', files.map((file) => line(file, 'round-2', { later }))); // prettier-ignore
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('why', () => {
  it('tells the rounds in their order, of an image by its name or by its path', async () => {
    const found = await why(run, 'a/1.png');
    expect(found.rounds.map(({ round }) => round)).toEqual(['round-2', 'round-10']);
    expect(found.sentences[0]).toMatch(/^a\/1\.png is labelled dog by net \(round-10\).*90\.0 %.*75\.0 %/);
    expect(found.sentences[1]).toBe(
      'round-2: cat, probability 90.0 %, chance 75.0 %; used (probability 0.900). In round-10: label changed.',
    );
    expect(found.sentences[2]).toMatch(/^round-10: dog.*not used/);
    expect(found.sentences[3]).toBe('Labelled images that are most like it (1 of 1 dog): b/1.png (dog, 0.50).');
    expect((await why(run, join(folder, 'data', 'a', '1.png'))).file).toBe('a/1.png');
    expect((await why(run, '1.png')).file).toBe('a/1.png');
  });

  it('shows the pictures beside a manifest', async () => {
    const page = await whyPage(await why(run, 'a/1.png'));
    expect(page.match(/data:image\/jpeg;base64/g)).toHaveLength(2);
  });

  it('asks which one, where a name is that of several, and writes no line break into a line', async () => {
    await expect(why(run, '2.png')).rejects.toThrow(/"2\.png" names 2 images: b\/2\.png, c\/2\.png/);
    const { sentences } = await why(run, 'a/new\nline.png');
    expect(sentences.join('')).not.toContain('\n');
    expect(sentences[0]).toContain('new\\nline');
  });
});
