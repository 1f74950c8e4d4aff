import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkEngine, readEngineRecord, writeEngineRecord, type EngineRecord } from '../../src/train/engine-record.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-engine-'));
  file = join(folder, 'engine.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record: EngineRecord = {
  engine: 'onnxruntime-node 1.30.0',
  gleaner: '0.1.0',
  device: 'cpu',
  processor: 'Some CPU',
  threads: 2,
  target: 'blocked',
  block: 8,
  microBatch: { finetune: 8 },
  lowerings: { 'ConvGradWeight b': 'gemm', 'ConvGradWeight a': 'shifts' },
};

it('comes back as it was written, equal records as equal bytes', async () => {
  expect(await readEngineRecord(file)).toBeUndefined();
  await writeEngineRecord(file, record);
  expect(await readEngineRecord(file)).toEqual(record);
  const bytes = readFileSync(file);
  const reversed = Object.fromEntries(Object.entries(record.lowerings).toReversed());
  await writeEngineRecord(file, { ...record, lowerings: reversed });
  expect(readFileSync(file).equals(bytes)).toBe(true);
});

it('another engine, processor, thread count or lowering is refused unless accepted, naming all that differs', () => {
  const current = { ...record, threads: 4, lowerings: { ...record.lowerings, 'ConvGradWeight a': 'gemm' } };
  const message =
    /threads: 2 then, 4 now; lowerings ConvGradWeight a: shifts then, gemm now\. Go on all the same with --accept-engine/;
  expect(() => checkEngine(record, current, false)).toThrow(message);
  expect(() => checkEngine(record, current, true)).not.toThrow();
});

it('shapes that only one side has met do not differ', () => {
  const current = { ...record, lowerings: { ...record.lowerings, MaxPoolGrad: 'shifts' }, microBatch: {} };
  expect(() => checkEngine(record, current, false)).not.toThrow();
});

it('a file that is something else is refused, naming the field', async () => {
  writeFileSync(file, '{"engine": "x", "threads": 0}');
  await expect(readEngineRecord(file)).rejects.toThrow(/is not an engine record: .*threads/);
  writeFileSync(file, '{');
  await expect(readEngineRecord(file)).rejects.toThrow('is not JSON');
});
