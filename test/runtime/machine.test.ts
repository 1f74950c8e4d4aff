import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunError } from '../../src/core/errors.ts';
import { cgroupLimits } from '../../src/runtime/cgroup.ts';
import { availableCores } from '../../src/runtime/cores.ts';
import { memoryReport } from '../../src/runtime/memory.ts';
import { loadOnnxRuntime } from '../../src/runtime/onnxruntime.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gleaner-machine-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function files(contents: Record<string, string>): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

describe('limits of a container', () => {
  test('version 2: the tightest on the way to the root, page cache not counted', () => {
    files({
      'proc/self/cgroup': '0::/pod/box\n',
      'sys/fs/cgroup/pod/memory.max': '2000000000\n',
      'sys/fs/cgroup/pod/memory.current': '1500000000\n',
      'sys/fs/cgroup/pod/memory.stat': 'anon 7\ninactive_file 300000000\nactive_file 5\n',
      'sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
      'sys/fs/cgroup/pod/box/memory.max': 'max\n',
      'sys/fs/cgroup/pod/box/cpu.max': 'max 100000\n',
      'sys/fs/cgroup/memory.max': '9000000000\n',
    });
    expect(cgroupLimits(root)).toEqual({ memoryBytes: 2e9, memoryUsedBytes: 1.2e9, cpus: 1.5 });
  });

  test('version 2 seen from inside, where the group is the root', () => {
    files({
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': '1000000\n',
      'sys/fs/cgroup/memory.current': '400000\n',
    });
    expect(cgroupLimits(root)).toEqual({ memoryBytes: 1e6, memoryUsedBytes: 4e5, cpus: undefined });
  });

  test('version 1, whose path is often not mounted inside', () => {
    files({
      'proc/self/cgroup': '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '500000000\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '300000000\n',
      'sys/fs/cgroup/memory/memory.stat': 'total_inactive_file 100000000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    expect(cgroupLimits(root)).toEqual({ memoryBytes: 5e8, memoryUsedBytes: 2e8, cpus: 0.5 });
  });

  test('version 1 without limits, and no control groups at all', () => {
    files({
      'proc/self/cgroup': '4:memory:/\n3:cpu:/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    const none = { memoryBytes: undefined, memoryUsedBytes: undefined, cpus: undefined };
    expect(cgroupLimits(root)).toEqual(none);
    expect(cgroupLimits(join(root, 'empty'))).toEqual(none);
  });
});

describe('memory', () => {
  test('the tighter of machine and container', () => {
    files({
      'proc/meminfo': 'MemTotal:  99 kB\nMemAvailable:    4000000 kB\n',
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': '1000000000\n',
      'sys/fs/cgroup/memory.current': '600000000\n',
    });
    expect(memoryReport(root)).toEqual({ totalBytes: totalmem(), limitBytes: 1e9, availableBytes: 4e8 });
    files({ 'proc/meminfo': 'MemAvailable: 1000 kB\n' });
    expect(memoryReport(root).availableBytes).toBe(1_024_000);
    files({ 'sys/fs/cgroup/memory.max': 'max\n' });
    expect(memoryReport(root)).toMatchObject({ limitBytes: undefined, availableBytes: 1_024_000 });
  });

  test('of this machine', () => {
    const { totalBytes, availableBytes } = memoryReport();
    expect(availableBytes).toBeGreaterThan(1e6);
    expect(availableBytes).toBeLessThanOrEqual(totalBytes);
    expect(availableCores()).toBeGreaterThanOrEqual(1);
  });
});

/** An import that fails as Node says it. */
function failing(message: string, code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(message), { code }));
}

describe('an engine that can not be loaded', () => {
  test('no binary for the platform', async () => {
    const missing = failing(
      "Cannot find module '../bin/napi-v6/darwin/x64/onnxruntime_binding.node'",
      'MODULE_NOT_FOUND',
    );
    await expect(loadOnnxRuntime(missing)).rejects.toThrow(RunError);
    await expect(loadOnnxRuntime(missing)).rejects.toThrow(
      `has no binary for ${process.platform} ${process.arch}: it exists for`,
    );
  });

  test('the package is not there', async () => {
    const missing = failing("Cannot find package 'onnxruntime-node'", 'ERR_MODULE_NOT_FOUND');
    await expect(loadOnnxRuntime(missing)).rejects.toThrow(/onnxruntime-node is not installed: run "npm ci"/);
  });

  test('a library of the system is missing or too old', async () => {
    const old = failing("/lib/libc.so.6: version `GLIBC_2.28' not found", 'ERR_DLOPEN_FAILED');
    await expect(loadOnnxRuntime(old)).rejects.toThrow(/can't be loaded on .*GLIBC_2.28' not found/);
  });
});
