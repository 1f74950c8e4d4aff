import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AbortedError, InputError, ModelError, RunError } from '../../src/core/errors.ts';
import { float32, float32Scalar, fromNumbers, tensor, toNumbers, zeros, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { EngineHost } from '../../src/runtime/engine-host.ts';
import { Engine, type Session } from '../../src/runtime/engine.ts';

const golden = (name: string) => readFileSync(new URL(`golden/${name}.onnx`, import.meta.url));

let engine: Engine;
let add: Session;
let decay: Session;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 2 });
  add = await engine.load(golden('add'), { name: 'the sum' });
  decay = await engine.load(golden('decay'), { name: 'the step' });
});
afterAll(() => engine.dispose());

const pair = (x: number, y: number) => ({ x: float32([x, x], [1, 2]), y: float32([y, y], [1, 2]) });

describe('running', () => {
  test('a session says what it takes and gives', () => {
    expect(engine.version).toBe('1.30.0');
    expect(engine.device).toBe('cpu');
    expect(add.inputs).toEqual([
      { name: 'x', dtype: 'float32', shape: ['N', 2] },
      { name: 'y', dtype: 'float32', shape: ['N', 2] },
    ]);
    expect(add.outputs).toEqual([{ name: 'z', dtype: 'float32', shape: ['N', 2] }]);
  });

  test('outputs come back by name', async () => {
    expect(await engine.run(add, { feeds: pair(1, 2) })).toEqual({ z: float32([3, 3], [1, 2]) });
  });

  test('every type goes in and comes out as it was', async () => {
    const session = await engine.load(golden('types'));
    const feeds: Record<string, Tensor> = { string: tensor('string', [3], ['a', 'é', '']) };
    for (const { name, dtype } of session.inputs)
      if (dtype !== 'string') feeds[name] = fromNumbers(dtype, [3], dtype === 'bool' ? [1, 0, 1] : [1, 2, 3]);
    const outputs = await engine.run(session, { feeds });
    for (const [name, value] of Object.entries(feeds)) expect(outputs[`${name}_out`]).toEqual(value);
    await session.release();
    await expect(engine.run(session, { feeds })).rejects.toThrow(/was released/);
  });

  test('half floats are their bits on the thread of the caller, too, and the global type stays', async () => {
    const global = 'Float16Array' in globalThis;
    const { host } = await EngineHost.start('cpu', 1);
    expect('Float16Array' in globalThis).toBe(global);
    const half = fromNumbers('float16', [2], [1.5, -2]);
    host.put({ half });
    expect(host.get(['half'])).toEqual({ half });
    const b = new GraphBuilder('negate');
    b.output(b.op('Neg', [b.input('x', 'float16', [2])]), 'y');
    const { id } = await host.load(writeModel({ graph: b.build() }), {});
    const request = { session: id, feeds: { x: half }, resident: {}, keep: {}, fetch: ['y'] };
    const [outputs] = await host.run([request], () => false);
    expect(outputs!['y']).toEqual(fromNumbers('float16', [2], [-1.5, 2]));
    await host.close();
  });

  test('a model is loaded from a path', async () => {
    const path = new URL('golden/add.onnx', import.meta.url).pathname;
    const session = await engine.load(path);
    expect(session.name).toBe(path);
    expect((await engine.run(session, { feeds: pair(1, 1) })).z).toEqual(float32([2, 2], [1, 2]));
    await session.release();
  });

  test('feeds are copied, and moved only where that is asked for', async () => {
    const feeds = pair(1, 2);
    await engine.run(add, { feeds });
    expect(feeds.x.data.length).toBe(2);
    await engine.run(add, { feeds, transfer: true });
    expect(feeds.x.data.length).toBe(0);
  });

  test('a view of a larger buffer is never moved, even when asked', async () => {
    const buffer = Float32Array.from([0, 1, 2, 3]);
    const view = (at: number) => tensor('float32', [1, 2], buffer.subarray(at, at + 2));
    const { z } = await engine.run(add, { feeds: { x: view(0), y: view(1) }, transfer: true });
    expect(z).toEqual(float32([1, 3], [1, 2]));
    expect([...buffer]).toEqual([0, 1, 2, 3]);
  });

  test('a Buffer is copied as any other array', async () => {
    const bytes = Buffer.from([1, 2, 3]);
    await engine.put({ bytes: tensor('uint8', [3], bytes) });
    expect([...bytes]).toEqual([1, 2, 3]);
    await engine.free(['bytes']);
  });

  test('calls are carried out in the order they are made', async () => {
    await engine.put({ p: float32([64]) });
    const step = () => engine.run(decay, { ...stepOf('p'), fetch: ['sum'] });
    const sums = await Promise.all([step(), step(), step()]);
    expect(sums.map(({ sum }) => toNumbers(sum!)[0])).toEqual([32, 16, 8]);
  });

  test('the event loop stays free while the engine works', async () => {
    const slow = await engine.load(golden('slow'));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const feeds = { x: zeros('float32', [600, 600]) };
    await engine.runAll(Array.from({ length: 3 }, () => ({ session: slow, feeds })));
    clearInterval(timer);
    // Each run takes ten ticks or more; on one thread with the engine there would be none.
    expect(ticks).toBeGreaterThan(3);
    await slow.release();
  });
});

const stepOf = (p: string) => ({
  feeds: { rate: float32Scalar(0.5) },
  resident: { p },
  keep: { next: p },
});

describe('tensors that stay in the engine', () => {
  test('put, kept from run to run, read and freed', async () => {
    await engine.put({ w: float32([8, 4]) });
    expect(await engine.run(decay, stepOf('w'))).toEqual({});
    await engine.run(decay, stepOf('w'));
    expect(await engine.get(['w'])).toEqual({ w: float32([2, 1]) });
    await engine.free(['w']);
    await expect(engine.get(['w'])).rejects.toThrow(/No tensor "w" is in the engine/);
    await expect(engine.run(decay, stepOf('w'))).rejects.toThrow(RangeError);
  });

  test('what is kept and fetched is there twice: reading it does not take it away', async () => {
    await engine.put({ w: float32([8, 4]) });
    const { next } = await engine.run(decay, { ...stepOf('w'), fetch: ['next'] });
    expect(next).toEqual(float32([4, 2]));
    (next!.data as Float32Array).fill(0);
    expect(await engine.get(['w'])).toEqual({ w: float32([4, 2]) });
    expect(await engine.get(['w'])).toEqual({ w: float32([4, 2]) });
  });

  test('many runs in one message, in order', async () => {
    await engine.put({ w: float32([64]) });
    const results = await engine.runAll(
      Array.from({ length: 6 }, () => ({ session: decay, ...stepOf('w'), fetch: ['sum'] })),
    );
    expect(results.map(({ sum }) => toNumbers(sum!)[0])).toEqual([32, 16, 8, 4, 2, 1]);
  });

  test('memory stays flat over 1,000 runs', async () => {
    // 1 MB a run: 1,000 runs that leaked would hold 1 GB. Fifty at a time, as a training loop does.
    await engine.put({ big: zeros('float32', [250_000]) });
    const rounds = async (count: number) => {
      for (let i = 0; i < count; i++)
        await engine.runAll(Array.from({ length: 50 }, () => ({ session: decay, ...stepOf('big'), fetch: ['sum'] })));
    };
    await rounds(4);
    const before = process.memoryUsage().rss;
    await rounds(20);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    await engine.free(['big']);
  });
});

describe('mistakes are found before the run, and named', () => {
  const x = float32([1, 1], [1, 2]);
  test.each<[string, Record<string, Tensor>, RegExp]>([
    ['missing', { x }, /the sum needs its input "y" \(float32 \[N,2\]\)/],
    ['unknown', { x, yy: x, y: x }, /the sum has no input "yy" \(did you mean "y"\?\); its inputs are x, y/],
    [
      'type',
      { x, y: tensor('int32', [1, 2], Int32Array.of(1, 2)) },
      /Input "y" of the sum takes float32, got int32 \[1,2\]/,
    ],
    ['rank', { x, y: float32([1, 2]) }, /Input "y" of the sum has rank 2 \(\[N,2\]\), got rank 1/],
    ['side', { x, y: float32([1, 2, 3], [1, 3]) }, /Input "y" of the sum has the shape \[N,2\], got \[1,3\]\./],
    ['two sizes of one side', { x, y: zeros('float32', [5, 2]) }, /got \[5,2\]; "N" is 1 in input "x"/],
    ['bfloat16', { x, y: zeros('bfloat16', [1, 2]) }, /"y" is bfloat16/],
  ])('%s input', async (_name, feeds, message) => {
    await expect(engine.run(add, { feeds })).rejects.toThrow(message);
  });

  test('an input from two sources', async () => {
    await engine.put({ w: float32([1]) });
    await expect(
      engine.run(decay, { feeds: { p: float32([1]), rate: float32Scalar(0) }, resident: { p: 'w' } }),
    ).rejects.toThrow(/Input "p" of the step is both fed and taken from "w"/);
  });

  test('unknown outputs, and none at all', async () => {
    const feeds = pair(1, 2);
    await expect(engine.run(add, { feeds, fetch: ['q'] })).rejects.toThrow(/the sum has no output "q".*are z/);
    await expect(engine.run(add, { feeds, keep: { q: 'a' } })).rejects.toThrow(/has no output "q"/);
    await expect(engine.run(add, { feeds, fetch: [] })).rejects.toThrow(/at least one output/);
  });

  test('a failure inside the engine names the model and what it was fed', async () => {
    const reshape = await engine.load(golden('reshape'), { name: 'the reshape' });
    const run = engine.run(reshape, { feeds: { x: float32([1, 2, 3]) } });
    await expect(run).rejects.toThrow(RunError);
    await expect(run).rejects.toThrow(/failed in the reshape: .*Reshape.*fed with x float32 \[3\]/s);
    // The engine is none the worse.
    expect((await engine.run(reshape, { feeds: { x: zeros('float32', [6]) } })).y!.shape).toEqual([2, 3]);
  });

  test('what is no model, and an option that is none', async () => {
    await expect(engine.load(new Uint8Array([1, 2, 3]), { name: 'junk.onnx' })).rejects.toThrow(ModelError);
    await expect(engine.load(new Uint8Array([1, 2, 3]), { name: 'junk.onnx' })).rejects.toThrow(
      /can't load junk.onnx: /,
    );
    await expect(engine.load('/nowhere/a.onnx')).rejects.toThrow(/can't load \/nowhere\/a.onnx/);
    await expect(engine.load(golden('add'), { threads: 0 })).rejects.toThrow(InputError);
    await expect(engine.load(golden('add'), { extra: { 'session.use_deterministic_computes': '1' } })).rejects.toThrow(
      /did you mean "session.use_deterministic_compute"/,
    );
  });
});

describe('stopping', () => {
  test('between runs, by a signal', async () => {
    const slow = await engine.load(golden('slow'));
    const feeds = { x: zeros('float32', [600, 600]) };
    // Between the slow runs a number is halved: it tells afterwards how many were made.
    await engine.put({ halved: float32([2 ** 50]) });
    const controller = new AbortController();
    const runs = engine.runAll(
      Array.from({ length: 50 }, () => [
        { session: slow, feeds },
        { session: decay, ...stepOf('halved') },
      ]).flat(),
      { signal: controller.signal },
    );
    setTimeout(() => controller.abort(), 50);
    await expect(runs).rejects.toThrow(AbortedError);
    const made = 50 - Math.log2(toNumbers((await engine.get(['halved']))['halved']!)[0]!);
    expect(made).toBeLessThan(50);
    // What follows is carried out as ever.
    expect((await engine.run(add, { feeds: pair(1, 2) })).z).toEqual(float32([3, 3], [1, 2]));
    await slow.release();
  });

  test('before it begins', async () => {
    await expect(engine.run(add, { feeds: pair(1, 2) }, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });

  test('dispose waits for the run in hand and rejects what comes after', async () => {
    const own = await Engine.start({ device: 'cpu', threads: 1 });
    const slow = await own.load(golden('slow'));
    const feeds = { x: zeros('float32', [600, 600]) };
    const running = own
      .runAll([
        { session: slow, feeds },
        { session: slow, feeds },
      ])
      .catch((error: unknown) => error);
    const queued = own.run(slow, { feeds }).catch((error: unknown) => error);
    await own.dispose();
    expect(await running).toBeInstanceOf(AbortedError);
    expect(await queued).toBeInstanceOf(AbortedError);
    await expect(own.run(slow, { feeds })).rejects.toThrow(/The engine was disposed/);
    await own.dispose();
  });
});

test('times are of every run after the warm-up', async () => {
  const times = await engine.time(add, { feeds: pair(1, 2) }, { warmUp: 2, runs: 7 });
  expect(times).toHaveLength(7);
  expect(Math.min(...times)).toBeGreaterThan(0);
});

test('a device that is asked for by name and missing is an error; an unknown one has a suggestion', async () => {
  await expect(Engine.start({ device: 'cpuu' })).rejects.toThrow(/"cpuu" is no device \(did you mean "cpu"\?\)/);
  const missing = (await engine.devices()).find((device) => !device.available)!;
  await expect(Engine.start({ device: missing.name })).rejects.toThrow(InputError);
  await expect(Engine.start({ device: missing.name })).rejects.toThrow(
    `The device "${missing.name}" can't be used here`,
  );
});
