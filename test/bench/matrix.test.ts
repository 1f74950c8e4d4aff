import { spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyOf, Results, workFolder, workOff } from '../../bench/support/matrix.mjs';

interface Cell {
  readonly study: string;
  readonly arm: string;
  readonly seed: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly version: string;
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-matrix-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cells = [0, 1].flatMap((seed) =>
  ['a', 'b'].map((arm): Cell => ({ study: 's', arm, seed, options: { epochs: 2, augment: 'flip' }, version: '1' })),
);
const lines = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a matrix', () => {
  test('skips what is finished, whatever the order of its options, and does what differs in anything', async () => {
    const file = join(folder, 'skips.jsonl');
    const done: string[] = [];
    const run = async ({ arm, seed }: Cell): Promise<object> => {
      done.push(`${arm}${seed}`);
      return { accuracy: seed };
    };
    expect(await workOff(cells.slice(0, 3), { results: new Results(file), run })).toMatchObject({ left: 0 });
    const turned = cells.map((cell) => ({ ...cell, options: { augment: 'flip', epochs: 2 } }));
    const { finished, left } = await workOff(turned, { results: new Results(file), run });
    expect(done).toEqual(['a0', 'b0', 'a1', 'b1']);
    expect([finished.length, left]).toEqual([4, 0]);
    expect(finished.map(({ accuracy }: { accuracy: number }) => accuracy)).toEqual([0, 0, 1, 1]);
    const [first] = cells;
    const others = [
      { ...first!, options: { epochs: 3, augment: 'flip' } },
      { ...first!, seed: 7 },
      { ...first!, version: '2' },
      { ...first!, study: 't' },
      { ...first!, arm: 'c' },
    ];
    expect(new Set([...cells, ...others].map(keyOf)).size).toBe(9);
    await workOff(others, { results: new Results(file), run });
    expect(done).toHaveLength(9);
    expect(await lines(file)).toHaveLength(9);
  });

  test('goes on after a line that was cut off, and refuses another file', async () => {
    const file = join(folder, 'cut.jsonl');
    const run = async (): Promise<object> => ({ accuracy: 1 });
    await workOff(cells.slice(0, 2), { results: new Results(file), run });
    await appendFile(file, JSON.stringify({ ...cells[2], accuracy: 1 }).slice(0, 40));
    const results = new Results(file);
    expect(cells.map((cell) => results.find(cell) !== undefined)).toEqual([true, true, false, false]);
    await workOff(cells, { results, run });
    expect((await lines(file)).map(({ arm, seed }) => `${String(arm)}${String(seed)}`)).toEqual([
      'a0',
      'b0',
      'a1',
      'b1',
    ]);
    const other = join(folder, 'other.txt');
    await writeFile(other, 'hello\nthere\n');
    expect(() => new Results(other)).toThrow(/line 1: expected a cell of a study, got "hello"/);
    expect(await readFile(other, 'utf8')).toBe('hello\nthere\n');
  });

  test('writes nothing for a cell that fails, and keeps the ones before it', async () => {
    const file = join(folder, 'fails.jsonl');
    const run = async ({ seed }: Cell): Promise<object> => {
      if (seed === 1) throw new Error('no memory');
      return { accuracy: 1 };
    };
    await expect(workOff(cells, { results: new Results(file), run })).rejects.toThrow('no memory');
    expect(await lines(file)).toHaveLength(2);
  });

  test('begins no cell that would not end in time, nor after an abort', async () => {
    let clock = 0;
    const run = async (): Promise<object> => {
      clock += 60_000;
      return {};
    };
    const timed = { run, now: () => clock, minutes: 3.5 };
    const { finished, left } = await workOff(cells, { results: new Results(join(folder, 'time.jsonl')), ...timed });
    expect([finished.length, left]).toEqual([3, 1]);
    expect(finished[0]).toMatchObject({ seconds: 60 });
    const stopping = new AbortController();
    const stopped = await workOff(cells, {
      results: new Results(join(folder, 'abort.jsonl')),
      run: async () => {
        stopping.abort();
        return {};
      },
      signal: stopping.signal,
    });
    expect([stopped.finished.length, stopped.left]).toEqual([1, 3]);
  });

  test('survives kill -9: what was finished is not done again', async () => {
    const file = join(folder, 'killed.jsonl');
    const script = join(folder, 'run.mjs');
    const matrix = new URL('../../bench/support/matrix.mjs', import.meta.url).href;
    await writeFile(
      script,
      `import { Results, workOff } from ${JSON.stringify(matrix)};
       const run = async ({ seed }) => { if (seed === 1) await new Promise((done) => setTimeout(done, 60_000)); return {}; };
       await workOff(${JSON.stringify(cells)}, { results: new Results(${JSON.stringify(file)}), run });`,
    );
    const child = spawn(process.execPath, [script], { stdio: 'inherit' });
    const ended = new Promise((resolve) => child.on('close', (_code, signal) => resolve(signal)));
    for (let i = 0; i < 200 && (await readFile(file, 'utf8').catch(() => '')).split('\n').length < 3; i++)
      await setTimeout(50);
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    const done: string[] = [];
    const run = async ({ arm, seed }: Cell): Promise<object> => {
      done.push(`${arm}${seed}`);
      return {};
    };
    await workOff(cells, { results: new Results(file), run });
    expect(done).toEqual(['a1', 'b1']);
  });

  test('removes the work of processes that are gone', async () => {
    const root = join(folder, 'work');
    const gone = spawn(process.execPath, ['-e', '0']);
    await new Promise((resolve) => gone.on('close', resolve));
    await mkdir(join(root, String(gone.pid)), { recursive: true });
    await mkdir(join(root, String(process.ppid)), { recursive: true });
    const own = workFolder(root);
    expect(own).toBe(join(root, String(process.pid)));
    expect((await readdir(root)).toSorted()).toEqual([process.pid, process.ppid].map(String).toSorted());
  });
});
