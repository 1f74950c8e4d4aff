import { statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { cacheFolder } from '../core/cache-folder.ts';
import { AbortedError } from '../core/errors.ts';
import { blockSize } from './block-size.ts';
import { availableCores } from './cores.ts';
import type { DeviceReport } from './devices.ts';
import { Engine, type Cancellable } from './engine.ts';
import { memoryReport, type MemoryReport } from './memory.ts';
import { processor, type Processor } from './processor.ts';
import { selfTest, type SelfTest } from './self-test.ts';
import { tuningFiles, type TuningFile } from './tuning.ts';

export interface DiskReport {
  readonly path: string;
  /** Undefined where the system does not say. */
  readonly freeBytes: number | undefined;
}

export interface EngineReport {
  readonly version: string;
  readonly devices: readonly DeviceReport[];
  /** Channels in a block of the processor's own layout; 1 where it has none. */
  readonly blockSize: number;
  readonly selfTest: SelfTest;
}

export interface DoctorReport {
  readonly node: string;
  readonly platform: string;
  readonly processor: Processor;
  readonly cores: number;
  readonly threads: number;
  readonly memory: MemoryReport;
  readonly workingFolder: DiskReport;
  readonly cache: DiskReport & { readonly warning?: string };
  readonly engine: EngineReport | { readonly error: string };
  /** What was measured about lowerings on this machine. */
  readonly tuning: readonly TuningFile[];
}

export interface DoctorOptions extends Cancellable {
  readonly threads?: number;
  /** Of the self-test; default 10. */
  readonly seconds?: number;
}

/** What this machine offers. Whatever is missing is in the report: nothing of that throws. */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const { folder, warning } = cacheFolder();
  const cores = availableCores();
  const threads = options.threads ?? cores;
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch} ${release()}`,
    processor: processor(),
    cores,
    threads,
    memory: memoryReport(),
    workingFolder: await disk(process.cwd()),
    cache: { ...(await disk(folder)), ...(warning !== undefined && { warning }) },
    engine: await examineEngine(threads, options),
    tuning: await tuningFiles(),
  };
}

async function examineEngine(threads: number, options: DoctorOptions): Promise<DoctorReport['engine']> {
  try {
    await using engine = await Engine.start({ device: 'cpu', threads });
    const { threads: _, ...test } = options;
    return {
      version: engine.version,
      devices: await engine.devices(),
      blockSize: await blockSize(engine),
      selfTest: await selfTest(engine, test),
    };
  } catch (error) {
    if (error instanceof AbortedError) throw error;
    return { error: (error as Error).message };
  }
}

async function disk(path: string): Promise<DiskReport> {
  try {
    const { bavail, bsize } = await statfs(path);
    return { path, freeBytes: bavail * bsize };
  } catch {
    return { path, freeBytes: undefined };
  }
}

/** The report as name and value, a line each, for a person. */
export function doctorLines(report: DoctorReport): [name: string, value: string][] {
  const { memory, engine, cache } = report;
  const lines: [string, string][] = [
    ['Node', report.node],
    ['Platform', report.platform],
    [
      'Processor',
      `${report.processor.model}${report.processor.features.length > 0 ? ` (${report.processor.features.join(', ')})` : ''}`,
    ],
    ['Cores', `${report.cores}${report.threads === report.cores ? '' : `, of which ${report.threads} are used`}`],
    [
      'Memory',
      `${gigabytes(memory.availableBytes)} available of ${gigabytes(memory.limitBytes ?? memory.totalBytes)}` +
        (memory.limitBytes === undefined ? '' : ' that this container may use'),
    ],
    ['Disk here', free(report.workingFolder)],
    ['Cache', free(cache)],
  ];
  if (cache.warning !== undefined) lines.push(['', cache.warning]);
  if ('error' in engine) {
    lines.push(['Engine', engine.error]);
    return lines;
  }
  lines.push(['Engine', `ONNX Runtime ${engine.version}`]);
  for (const { name, available, reason } of engine.devices)
    lines.push([`Device ${name}`, available ? 'works' : `absent: ${reason}`]);
  lines.push(
    ['Blocked layout', engine.blockSize === 1 ? 'none' : `${engine.blockSize} channels`],
    [
      'Self-test',
      `${engine.selfTest.imagesPerSecond.toFixed(0)} images/s (64x64, three convolutions), ` +
        `${engine.selfTest.gigaflops.toFixed(0)} GFLOP/s (matrix product), in ${engine.selfTest.seconds.toFixed(1)} s`,
    ],
    ['Tuned', `${report.tuning.reduce((sum, file) => sum + Object.keys(file.times).length, 0)} shapes`],
  );
  return lines;
}

function free({ path, freeBytes }: DiskReport): string {
  return `${path}, ${freeBytes === undefined ? 'free space unknown' : `${gigabytes(freeBytes)} free`}`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
