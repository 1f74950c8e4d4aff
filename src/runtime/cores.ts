import { availableParallelism } from 'node:os';
import { cgroupLimits } from './cgroup.ts';

/** Cores this process may use: its affinity and its container's quota count, and there is at least one. */
export function availableCores(): number {
  // libuv knows the quota only from Node 22.9 on.
  const quota = cgroupLimits().cpus ?? Infinity;
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota)));
}
