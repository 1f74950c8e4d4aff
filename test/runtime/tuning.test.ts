import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AbortedError } from '../../src/core/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, type Graph } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { measure } from '../../src/runtime/measurement.ts';
import { fixedChoice, Tuning, type Candidate } from '../../src/runtime/tuning.ts';

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await Engine.start({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-tuning-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `count` products of 300 x 300 in a row: the work is known. */
function products(count: number): Graph {
  const b = new GraphBuilder(`products${count}`);
  const x = b.input('input0', 'float32', [300, 300]);
  let y = x;
  for (let i = 0; i < count; i++) y = b.op('MatMul', [y, x]);
  b.output(y, 'y');
  return b.build();
}

/** Loads, and fails when it is run: the default kernel of no engine has this operator. */
function unknownOp(): Graph {
  const b = new GraphBuilder('unknown');
  const x = b.input('input0', 'float32', [300, 300]);
  const y = b.op('NoSuchOperator', [x], {}, { domain: 'com.example' });
  return { ...b.build(), outputs: [{ name: y, type: { dtype: 'float32', shape: [300, 300] } }] };
}

const candidate = (name: string, graph: () => Graph): Candidate => ({ name, graph });
const slow = candidate('slow', () => products(24));
const fast = candidate('fast', () => products(1));
const broken = candidate('broken', unknownOp);

test('measured times follow the work, and what can not run is Infinity', async () => {
  const [one, many, none] = await measure(engine, [products(1), products(24), unknownOp()]);
  expect(many! / one!).toBeGreaterThan(2);
  expect(none).toBe(Infinity);
  // Nothing is left behind in the engine.
  await expect(engine.get(['measure/0/input0'])).rejects.toThrow(RangeError);
});

test('integers are valid indices, half floats are halves', async () => {
  const b = new GraphBuilder('mixed');
  const table = b.input('table', 'float16', [5, 2]);
  const indices = b.input('indices', 'int64', [3]);
  b.output(b.op('LeakyRelu', [b.op('Gather', [table, indices])], { alpha: float(0.1) }), 'y');
  const [ms] = await measure(engine, [b.build()]);
  expect(ms).toBeLessThan(1000);
});

describe('choosing', () => {
  test('the first until measured, then the fastest, here and in the next process', async () => {
    const tuning = await Tuning.open(engine, folder);
    expect(tuning.choose([slow, fast, broken], 'Product [300,300]')).toBe(0);
    expect(tuning.choices()).toEqual({ 'Product [300,300]': 'slow' });
    const progress: number[][] = [];
    expect(await tuning.tune(engine, { onProgress: (done, total) => progress.push([done, total]) })).toBe(1);
    expect(progress).toEqual([[1, 1]]);
    expect(tuning.choose([slow, fast, broken], 'Product [300,300]')).toBe(1);
    expect(tuning.choices()).toEqual({ 'Product [300,300]': 'fast' });
    expect(await tuning.tune(engine)).toBe(0);

    const next = await Tuning.open(engine, folder);
    expect(next.path).toBe(tuning.path);
    expect(next.choose([slow, fast, broken], 'Product [300,300]')).toBe(1);
    // Order does not matter, names do; a new candidate has to be measured.
    expect(next.choose([fast, slow], 'Product [300,300]')).toBe(0);
    expect(next.choose([slow, fast, candidate('newer', fast.graph)], 'Product [300,300]')).toBe(0);
    expect(await next.tune(engine)).toBe(1);
  });

  test('a snapshot names the fastest of every key that was ever measured', async () => {
    const tuning = await Tuning.open(engine, folder);
    tuning.choose([slow, fast, broken], 'a');
    tuning.choose([broken], 'none can run');
    await tuning.tune(engine);
    expect((await Tuning.open(engine, folder)).snapshot()).toEqual({ a: 'fast' });
  });

  test('the file can be read by a person, and holds what the times depend on', async () => {
    const tuning = await Tuning.open(engine, folder);
    tuning.choose([fast, broken], 'key');
    await tuning.tune(engine);
    const [name] = readdirSync(folder);
    expect(name).toMatch(/^cpu-[0-9a-f]{16}\.json$/);
    const content = JSON.parse(readFileSync(join(folder, name!), 'utf8'));
    expect(content.conditions).toMatchObject({ device: 'cpu', engine: '1.30.0', threads: 1 });
    expect(content.times.key.broken).toBeNull();
    expect(content.times.key.fast).toBeGreaterThan(0);
  });

  test('other threads are another file', async () => {
    await using two = await Engine.start({ device: 'cpu', threads: 2 });
    expect((await Tuning.open(two, folder)).path).not.toBe((await Tuning.open(engine, folder)).path);
  });

  test('two that tune at once end with the same choices, and a damaged file is measured again', async () => {
    const [a, b] = [await Tuning.open(engine, folder), await Tuning.open(engine, folder)];
    a.choose([slow, fast], 'shared');
    a.choose([slow, fast], 'only a');
    b.choose([slow, fast], 'shared');
    b.choose([slow, fast], 'only b');
    await a.tune(engine);
    const written = JSON.parse(readFileSync(a.path, 'utf8'));
    await b.tune(engine);
    const merged = JSON.parse(readFileSync(a.path, 'utf8'));
    expect(Object.keys(merged.times)).toEqual(['only a', 'only b', 'shared']);
    expect(merged.times.shared).toEqual(written.times.shared);

    writeFileSync(a.path, '{"format":2,"tim');
    const again = await Tuning.open(engine, folder);
    expect(again.choose([slow, fast], 'shared')).toBe(0);
    expect(await again.tune(engine)).toBe(1);
  });

  test('stopping keeps what was measured', async () => {
    const tuning = await Tuning.open(engine, folder);
    tuning.choose([slow, fast], 'first');
    tuning.choose([slow, fast], 'second');
    const controller = new AbortController();
    const run = tuning.tune(engine, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(run).rejects.toThrow(AbortedError);
    const next = await Tuning.open(engine, folder);
    expect(next.choose([slow, fast], 'first')).toBe(1);
    expect(next.choose([slow, fast], 'second')).toBe(0);
  });

  test('recorded choices are repeated, or it is said why not', () => {
    const choose = fixedChoice({ key: 'fast' });
    expect(choose([slow, fast], 'key')).toBe(1);
    expect(() => choose([slow], 'key')).toThrow(/"fast" of "key" does not exist here; there are slow/);
    expect(() => choose([slow], 'other')).toThrow(/say nothing of "other"/);
  });
});

test('times measured in another way are not used', async () => {
  const first = await Tuning.open(engine, folder);
  first.choose([slow, fast], 'key');
  await first.tune(engine);
  const content = JSON.parse(readFileSync(first.path, 'utf8')) as object;
  writeFileSync(first.path, JSON.stringify({ ...content, format: 1 }));
  const second = await Tuning.open(engine, folder);
  expect(second.choose([slow, fast], 'key')).toBe(0);
  writeFileSync(first.path, JSON.stringify(content));
  const third = await Tuning.open(engine, folder);
  expect(third.choose([slow, fast], 'key')).toBe(1);
});
