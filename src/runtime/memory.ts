import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { cgroupLimits } from './cgroup.ts';

export interface MemoryReport {
  /** Of the machine. */
  readonly totalBytes: number;
  /** The container's limit, where it has one below the machine's own. */
  readonly limitBytes: number | undefined;
  /** What this process can still take before the system starts to kill: the tighter of machine and container. */
  readonly availableBytes: number;
}

/** @param root where `/proc` and `/sys` lie, for tests. */
export function memoryReport(root = '/'): MemoryReport {
  const totalBytes = totalmem();
  const { memoryBytes, memoryUsedBytes = 0 } = cgroupLimits(root);
  const machine = memAvailable(root) ?? freemem();
  const limited = memoryBytes !== undefined && memoryBytes < totalBytes;
  return {
    totalBytes,
    limitBytes: limited ? memoryBytes : undefined,
    availableBytes: limited ? Math.min(machine, Math.max(0, memoryBytes - memoryUsedBytes)) : machine,
  };
}

/** Linux's own estimate of what can be taken without swapping; `freemem` there leaves out the page cache. */
function memAvailable(root: string): number | undefined {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync(`${root}/proc/meminfo`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
