import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Limits that a container or a service manager puts on this process (Linux control groups, v1 and v2). */
export interface CgroupLimits {
  /** The tightest memory limit on the way up to the root, in bytes; undefined where there is none. */
  readonly memoryBytes: number | undefined;
  /** What of `memoryBytes` is in use and can't be dropped (page cache is not counted). */
  readonly memoryUsedBytes: number | undefined;
  /** Processor time as a number of cores; undefined where there is no quota. */
  readonly cpus: number | undefined;
}

/** A limit as large as this is how version 1 says "none". */
const UNLIMITED = 2 ** 60;

/** @param root where `/proc` and `/sys` lie, for tests. */
export function cgroupLimits(root = '/'): CgroupLimits {
  const text = (...path: string[]): string | undefined => {
    try {
      return readFileSync(join(root, ...path), 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const number = (...path: string[]): number | undefined => {
    const value = Number(text(...path) || Number.NaN);
    return Number.isFinite(value) && value >= 0 && value < UNLIMITED ? value : undefined;
  };
  const stat = (key: string, ...path: string[]): number =>
    Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text(...path) ?? '')?.[1] ?? 0);

  let memoryBytes: number | undefined;
  let memoryUsedBytes: number | undefined;
  let cpus: number | undefined;
  const tighten = (limit: number | undefined, used: number | undefined, reclaimable: number): void => {
    if (limit === undefined || (memoryBytes !== undefined && limit >= memoryBytes)) return;
    memoryBytes = limit;
    memoryUsedBytes = used === undefined ? undefined : Math.max(0, used - reclaimable);
  };

  for (const line of (text('proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    const path = rest.join(':');
    if (controllers === undefined || !path.startsWith('/')) continue;
    for (const group of upward(path)) {
      if (controllers === '') {
        const base = ['sys/fs/cgroup', group];
        tighten(
          number(...base, 'memory.max'),
          number(...base, 'memory.current'),
          stat('inactive_file', ...base, 'memory.stat'),
        );
        const [quota, period] = (text(...base, 'cpu.max') ?? '').split(' ').map(Number);
        if (quota && period) cpus = Math.min(cpus ?? Infinity, quota / period);
      } else if (controllers.split(',').includes('memory')) {
        const base = ['sys/fs/cgroup/memory', group];
        tighten(
          number(...base, 'memory.limit_in_bytes'),
          number(...base, 'memory.usage_in_bytes'),
          stat('total_inactive_file', ...base, 'memory.stat'),
        );
      } else if (controllers.split(',').includes('cpu')) {
        const base = ['sys/fs/cgroup/cpu', group];
        const [quota, period] = [number(...base, 'cpu.cfs_quota_us'), number(...base, 'cpu.cfs_period_us')];
        if (quota && period) cpus = Math.min(cpus ?? Infinity, quota / period);
      }
    }
  }
  return { memoryBytes, memoryUsedBytes, cpus };
}

/** `/a/b`, `/a`, `/`: a limit on any of them holds. In a container the path is often not there and `/` is. */
function upward(path: string): string[] {
  const groups = [path];
  while (groups.at(-1) !== '/') groups.push(dirname(groups.at(-1)!));
  return groups;
}
