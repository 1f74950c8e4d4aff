import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AbortedError } from '../../src/core/errors.ts';
import { doctor, doctorLines, type DoctorReport } from '../../src/runtime/doctor.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-doctor-'));
  vi.stubEnv('GLEANER_CACHE', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test('the machine is described, and the engine has done some work', async () => {
  const report = await doctor({ seconds: 0.2, threads: 1 });
  expect(report.node).toBe(process.versions.node);
  expect(report.processor.model).toBe(cpus()[0]!.model.trim());
  expect(report.cache.path).toBe(folder);
  expect(report.cache.freeBytes).toBeGreaterThan(0);
  expect(report.memory.availableBytes).toBeGreaterThan(0);
  if ('error' in report.engine) throw new Error(report.engine.error);
  expect(report.engine.version).toBe('1.30.0');
  expect(report.engine.devices.find(({ name }) => name === 'cpu')?.available).toBe(true);
  // A single thread of any processor of the last ten years does 1 to 1,000.
  expect(report.engine.selfTest.gigaflops).toBeGreaterThan(1);
  expect(report.engine.selfTest.gigaflops).toBeLessThan(1000);
  expect(report.engine.selfTest.imagesPerSecond).toBeGreaterThan(1);

  const lines = doctorLines(report);
  expect(lines.every(([, value]) => value !== '' && !value.includes('undefined'))).toBe(true);
  expect(lines.map(([name]) => name)).toContain('Device cuda');
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('without an engine there is still a report', () => {
  const report: DoctorReport = {
    node: '20.19.0',
    platform: 'darwin x64 24',
    processor: { model: 'Intel', features: [] },
    cores: 4,
    threads: 2,
    memory: { totalBytes: 16e9, limitBytes: 4e9, availableBytes: 3.04e9 },
    workingFolder: { path: '/w', freeBytes: undefined },
    cache: { path: '/tmp/c', freeBytes: 2e9, warning: "The cache folder /home can't be written." },
    engine: { error: 'ONNX Runtime has no binary for darwin x64' },
    tuning: [],
  };
  expect(doctorLines(report)).toEqual([
    ['Node', '20.19.0'],
    ['Platform', 'darwin x64 24'],
    ['Processor', 'Intel'],
    ['Cores', '4, of which 2 are used'],
    ['Memory', '3.0 GB available of 4.0 GB that this container may use'],
    ['Disk here', '/w, free space unknown'],
    ['Cache', '/tmp/c, 2.0 GB free'],
    ['', "The cache folder /home can't be written."],
    ['Engine', 'ONNX Runtime has no binary for darwin x64'],
  ]);
});

test('it can be stopped', async () => {
  await expect(doctor({ signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
});
