import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

export interface Processor {
  /** As the system calls it. */
  readonly model: string;
  /** What of its instruction set decides which kernels the engine takes; empty where the system does not tell. */
  readonly features: readonly string[];
}

/** x86 as Linux names them, then Arm. */
const FEATURES =
  'avx avx2 fma f16c avx512f avx512bw avx512_vnni avx512_bf16 avx_vnni amx_tile asimd asimdhp asimddp i8mm bf16 sve sve2 sme'.split(
    ' ',
  );

export function processor(): Processor {
  const model = cpus()[0]?.model.trim() || process.arch;
  let flags: readonly string[] = [];
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    flags = line?.[1]?.split(' ') ?? [];
  } catch {
    // Not Linux.
  }
  return { model, features: FEATURES.filter((feature) => flags.includes(feature)) };
}
