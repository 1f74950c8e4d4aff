import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FormatError, InputError, RunError } from '../../src/core/errors.ts';
import { checkDisk } from '../../src/core/disk.ts';
import { epochEvents, readEvents } from '../../src/train/events.ts';
import { readConfig, RunFolder, runStatus } from '../../src/train/run-folder.ts';

let root: string;
let run: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gleaner-run-'));
  run = join(root, 'run');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const config = { dataFingerprint: 'abc', seed: 7 };
const lockFile = (): string => join(run, 'lock');

describe('a run folder', () => {
  it('is created with its configuration, resumed with it, and ends finished', async () => {
    const first = await RunFolder.create(run, config);
    expect(await runStatus(run)).toEqual({ state: 'running', pid: process.pid });
    first.append({ type: 'epoch', stage: 'finetune', epoch: 1, loss: 0.5 });
    expect(await first.stage(2, 'finetune')).toBe(join(run, 'stages', '02-finetune'));
    await first.close();
    expect(await runStatus(run)).toEqual({ state: 'interrupted' });

    const second = await RunFolder.resume(run);
    expect(second.config).toEqual(config);
    await second.finish();
    expect(await runStatus(run)).toEqual({ state: 'finished' });
    expect((await readEvents(join(run, 'events.jsonl'))).map((event) => event.type)).toEqual(['epoch', 'finished']);
    await expect(RunFolder.resume(run)).rejects.toThrow('has finished; there is nothing to resume');
  });

  it('never overwrites a run, nor moves into a folder with anything else', async () => {
    await (await RunFolder.create(run, config)).close();
    await expect(RunFolder.create(run, config)).rejects.toThrow(`continue it with --resume ${run}`);
    const other = join(root, 'photos');
    await mkdir(other);
    writeFileSync(join(other, 'cat.jpg'), '');
    await expect(RunFolder.create(other, config)).rejects.toThrow('is not empty (it holds "cat.jpg")');
    expect(await readdir(other)).toEqual(['cat.jpg']);
  });

  it('that was killed before its configuration was there says so, and can be started again', async () => {
    await mkdir(run);
    writeFileSync(lockFile(), '{"pid":');
    utimesSync(lockFile(), 0, 0);
    writeFileSync(join(run, '.gleaner-tmp-1-00'), '');
    await expect(RunFolder.resume(run)).rejects.toThrow('stopped before it began. Start it again.');
    await expect(RunFolder.resume(run)).rejects.toBeInstanceOf(InputError);
    expect(await runStatus(run)).toEqual({ state: 'not-started' });
    await (await RunFolder.create(run, config)).close();
    expect(await readConfig(run)).toEqual(config);
  });

  it('with a damaged configuration is refused by name', async () => {
    await (await RunFolder.create(run, config)).close();
    writeFileSync(join(run, 'config.json'), '{"seed": 7');
    await expect(RunFolder.resume(run)).rejects.toBeInstanceOf(FormatError);
    writeFileSync(join(run, 'config.json'), '{"seed": 7}');
    await expect(RunFolder.resume(run)).rejects.toThrow('has no "dataFingerprint"');
    await expect(RunFolder.resume(join(root, 'none'))).rejects.toThrow('There is no run in');
  });

  it('refuses changed data unless it is accepted, which is recorded', async () => {
    const folder = await RunFolder.create(run, config);
    folder.checkData('abc', false);
    expect(() => folder.checkData('xyz', false)).toThrow('--accept-data-change');
    folder.checkData('xyz', true);
    await folder.close();
    const events = await readEvents(join(run, 'events.jsonl'));
    expect(events).toEqual([expect.objectContaining({ type: 'data-change-accepted', from: 'abc', to: 'xyz' })]);
  });

  it('takes stage names that sort and read well only', async () => {
    const folder = await RunFolder.create(run, config);
    await expect(folder.stage(1, '../up')).rejects.toThrow(RangeError);
    await folder.close();
  });
});

describe('the lock', () => {
  it('keeps a second process out, naming the first, and is taken over once that is gone', async () => {
    await mkdir(run);
    const child = await holdingChild();
    try {
      await expect(RunFolder.create(run, config)).rejects.toThrow(`is in use by process ${child.pid}`);
    } finally {
      await killed(child);
    }
    await (await RunFolder.create(run, config)).close();
    expect(existsSync(lockFile())).toBe(false);
  });

  it('of a process whose number another one has now is stale', async () => {
    await mkdir(run);
    await writeLock({ pid: process.pid, started: 'before' });
    await (await RunFolder.create(run, config)).close();
  });

  it('of another machine is held while it shows signs of life', async () => {
    await (await RunFolder.create(run, config)).close();
    await writeLock({ pid: 1, host: 'elsewhere' });
    await expect(RunFolder.resume(run)).rejects.toThrow('is in use by process 1 on elsewhere');
    expect(await runStatus(run)).toEqual({ state: 'running', pid: 1 });
    utimesSync(lockFile(), Date.now() / 1000 - 90, Date.now() / 1000 - 90);
    expect(await runStatus(run)).toEqual({ state: 'interrupted' });
    await (await RunFolder.resume(run)).close();
  });

  it('goes to one only of many that find it stale at once', async () => {
    await (await RunFolder.create(run, config)).close();
    for (let round = 0; round < 5; round++) {
      await writeLock({ pid: 2 ** 22 + 1 });
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => RunFolder.resume(run)));
      const winners = results.filter((result) => result.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      await winners[0]!.value.close();
      expect((await readdir(run)).filter((name) => name.startsWith('lock'))).toEqual([]);
    }
  });

  it('is taken over although a process was killed while it did so', async () => {
    await (await RunFolder.create(run, config)).close();
    await writeLock({ pid: 2 ** 22 + 1 });
    writeFileSync(`${lockFile()}.takeover`, '');
    utimesSync(`${lockFile()}.takeover`, 0, 0);
    await (await RunFolder.resume(run)).close();
  });
});

const epoch = (stage: string, n: number, loss: number) => ({ type: 'epoch', time: '', stage, epoch: n, loss });

describe('the event log', () => {
  it('loses nothing but the line that a killed process left torn', async () => {
    const folder = await RunFolder.create(run, config);
    folder.append({ type: 'stage', stage: 'finetune', state: 'start' });
    await folder.close();
    const file = join(run, 'events.jsonl');
    appendFileSync(file, '{"type":"epoch","lo');
    expect((await readEvents(file)).map((event) => event.type)).toEqual(['stage']);

    const again = await RunFolder.resume(run);
    again.append({ type: 'epoch', stage: 'finetune', epoch: 1 });
    await again.close();
    expect((await readEvents(file)).map((event) => event.type)).toEqual(['stage', 'epoch']);
    expect(readFileSync(file, 'utf8').endsWith('\n')).toBe(true);
  });

  it('names a line in the middle that is damaged', async () => {
    const file = join(root, 'events.jsonl');
    writeFileSync(file, '{"type":"a"}\n{"ty\n{"type":"b"}\n');
    await expect(readEvents(file)).rejects.toThrow('line 2 is not JSON');
    expect(await readEvents(join(root, 'none.jsonl'))).toEqual([]);
  });

  it('counts an epoch that was run twice once', () => {
    const events = [
      epoch('a', 1, 5),
      epoch('a', 2, 4),
      { type: 'resume', time: '' },
      epoch('a', 2, 3),
      epoch('b', 1, 2),
    ];
    expect(epochEvents(events).map((event) => event['loss'])).toEqual([5, 3, 2]);
  });
});

describe('the disk is checked before any work', () => {
  it('for space', async () => {
    await expect(RunFolder.create(run, config, { neededBytes: 1e18 })).rejects.toThrow(
      /Not enough disk space in .* MB are free/,
    );
    expect(existsSync(join(run, 'config.json'))).toBe(false);
  });

  it('for a folder that can be made and written', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    await expect(checkDisk(join(file, 'run'), 0)).rejects.toThrow(/Can't write to .*: a part of the path is a file/);
    await expect(checkDisk(file, 0)).rejects.toBeInstanceOf(InputError);
  });
});

it('a holder that lost its lock writes nothing more', async () => {
  const folder = await RunFolder.create(run, config);
  writeFileSync(lockFile(), 'another');
  await new Promise((done) => setTimeout(done, 5_500));
  expect(() => folder.append({ type: 'epoch' })).toThrow(RunError);
  expect(() => folder.file('model.onnx')).toThrow('taken by another process');
  await folder.close();
  expect(readFileSync(lockFile(), 'utf8')).toBe('another');
});

async function writeLock(fields: { pid: number; host?: string; started?: string }): Promise<void> {
  const { hostname } = await import('node:os');
  writeFileSync(lockFile(), `${JSON.stringify({ host: hostname(), started: '', nonce: 'n', ...fields })}\n`);
}

/** A process that is alive and in the lock. */
async function holdingChild(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")'], { stdio: 'pipe' });
  await new Promise((done) => child.stdout!.once('data', done));
  await writeLock({ pid: child.pid! });
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await gone;
}
