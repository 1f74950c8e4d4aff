import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeColourData } from '../support/colour-data.ts';
import { runGleaner, startGleaner, type Finished } from '../support/run-gleaner.ts';
import { isNested, type CompleteEvent } from '../support/trace.ts';

let folder: string;
let data: string;
const train = (...flags: string[]): string[] => ['train', data, '--json', '--threads', '1', ...flags];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-profile-'));
  data = join(folder, 'data');
  await writeColourData(data, { train: 6, test: 8 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Row {
  readonly thread: string;
  readonly what: string;
  readonly calls: number;
  readonly images: number;
  readonly seconds: number;
  readonly share: number;
}

interface Profile {
  readonly file: string;
  readonly seconds: number;
  readonly training: Readonly<Record<'seconds' | 'engineBusy' | 'engineWaiting' | 'engineOtherwiseIdle', number>>;
  readonly rows: readonly Row[];
}

function profileOf({ stdout, stderr }: Finished): Profile {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  const profiles = lines.filter(({ type }) => type === 'profile');
  expect(profiles, stderr).toHaveLength(1);
  return profiles[0] as never;
}

interface Trace {
  readonly traceEvents: readonly { readonly ph: string; readonly name: string; readonly tid: number }[];
  readonly otherData: Readonly<Record<string, unknown>>;
}

/** Complete events by the names of their threads, checked for the format. */
async function eventsOf(file: string): Promise<Map<string, CompleteEvent[]>> {
  const { traceEvents } = JSON.parse(await readFile(file, 'utf8')) as Trace;
  const names = new Map(
    traceEvents
      .filter(({ ph, name }) => ph === 'M' && name === 'thread_name')
      .map((event) => [event.tid, (event as never as { args: { name: string } }).args.name]),
  );
  const byThread = new Map<string, CompleteEvent[]>([...names.values()].map((name) => [name, []]));
  for (const event of traceEvents) {
    expect(['M', 'X', 'C']).toContain(event.ph);
    if (event.ph !== 'X') continue;
    const complete = event as CompleteEvent;
    expect(complete.ts).toBeGreaterThanOrEqual(0);
    expect(complete.dur).toBeGreaterThanOrEqual(0);
    byThread.get(names.get(complete.tid)!)!.push(complete);
  }
  return byThread;
}

it('writes a trace whose spans nest and whose sums are within the time that passed, and prints a table', async () => {
  const run = join(folder, 'profiled');
  const start = performance.now();
  const finished = await runGleaner(
    train('--out', run, '--profile', '--epochs', '3', '--batch-size', '6', '--val', '0.3'),
  );
  const wall = (performance.now() - start) / 1000;
  expect(finished.code, finished.stderr).toBe(0);
  const profile = profileOf(finished);
  expect(profile.file).toBe(join(run, 'profile.json'));
  expect(profile.seconds).toBeLessThanOrEqual(wall);
  expect(finished.stderr).toMatch(/thread +what +calls +images +seconds +ms an image +share/);
  expect(finished.stderr).toMatch(/Engine busy [\d.]+ % of the [\d.]+ s of training, idle/);

  const { engineBusy, engineWaiting, engineOtherwiseIdle, seconds } = profile.training;
  expect(engineBusy + engineWaiting + engineOtherwiseIdle).toBeCloseTo(1);
  for (const share of [engineBusy, engineWaiting, engineOtherwiseIdle]) expect(share).toBeGreaterThanOrEqual(0);
  expect(engineBusy).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(profile.seconds);

  const byThread = await eventsOf(profile.file);
  expect([...byThread.keys()]).toEqual(
    expect.arrayContaining(['job', 'data', 'batches', 'writing', 'engine', 'image decoder 1']),
  );
  for (const [thread, events] of byThread) {
    expect(isNested(events), thread).toBe(true);
    for (const { ts, dur } of events) expect(ts + dur, thread).toBeLessThanOrEqual(profile.seconds * 1e6 + 1);
  }
  for (const thread of new Set(profile.rows.map((row) => row.thread))) {
    const rows = profile.rows.filter((row) => row.thread === thread);
    const threads = thread === 'image decoders' ? byThread.size - 5 : 1;
    const sum = rows.reduce((total, row) => total + row.seconds, 0);
    expect(sum, thread).toBeLessThanOrEqual(profile.seconds * threads);
    expect(
      rows.reduce((total, row) => total + row.share, 0),
      thread,
    ).toBeCloseTo(sum / profile.seconds / threads);
  }

  const row = (thread: string, what: string): Row => {
    const found = profile.rows.find((one) => one.thread === thread && one.what === what);
    expect(found, `${thread}: ${what}`).toBeDefined();
    return found!;
  };
  // 12 images are trained on in 3 epochs of 2 steps, 6 are held out.
  expect(row('job', 'epoch').calls).toBe(3);
  expect(row('job', 'step').images + row('job', 'first step').images).toBe(36);
  expect(row('engine', 'pass')).toMatchObject({ calls: 6, images: 36 });
  expect(row('image decoders', 'augment').images).toBe(36);
  expect(row('image decoders', 'read').calls).toBe(row('image decoders', 'decode').calls);
  expect(row('engine', 'validation').images).toBe(18);
  for (const what of ['read the data', 'find copies']) row('data', what);
  for (const what of ['compile the step', 'load the step', 'wait for a batch', 'checkpoint', 'prove parity', 'report'])
    row('job', what);
  row('writing', 'write a checkpoint');
  const steps = byThread.get('job')!.filter(({ name }) => name === 'step' || name === 'first step');
  for (const pass of byThread.get('engine')!.filter(({ name }) => name === 'pass'))
    expect(steps.some(({ ts, dur }) => ts <= pass.ts + 1000 && pass.ts + pass.dur <= ts + dur + 1000)).toBe(true);
});

it('leaves no file and says nothing where it was not asked for', async () => {
  const run = join(folder, 'plain');
  const finished = await runGleaner(train('--out', run, '--epochs', '1'));
  expect(finished.code, finished.stderr).toBe(0);
  expect(finished.stdout).not.toContain('"type":"profile"');
  expect(finished.stderr).not.toContain('Engine busy');
  expect((await readdir(run)).filter((name) => name.startsWith('profile'))).toEqual([]);
});

it('writes what there is at Ctrl-C, and another file when the run goes on', async () => {
  const run = join(folder, 'interrupted');
  const { process: child, finished } = startGleaner(
    train('--out', run, '--profile', '--epochs', '30', '--batch-size', '4'),
  );
  while (!(await readFile(join(run, 'events.jsonl'), 'utf8').catch(() => '')).includes('"type":"epoch"'))
    await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill('SIGINT');
  const stopped = await finished;
  expect(stopped.code).toBe(130);
  expect(profileOf(stopped).file).toBe(join(run, 'profile.json'));
  const before = await readFile(join(run, 'profile.json'), 'utf8');
  // It was asked for when the run was started.
  const resumed = await runGleaner(['train', '--resume', run, '--json']);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(profileOf(resumed).file).toBe(join(run, 'profile-2.json'));
  for (const events of (await eventsOf(join(run, 'profile-2.json'))).values()) expect(isNested(events)).toBe(true);
  expect(await readFile(join(run, 'profile.json'), 'utf8')).toBe(before);
  expect(existsSync(join(run, 'model.onnx'))).toBe(true);
});
