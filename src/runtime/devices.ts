import { InputError, suggestion } from '../core/errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { writeModel } from '../onnx/write.ts';
import type { OnnxRuntime } from './onnxruntime.ts';

/** What ONNX Runtime calls execution providers, by its own names. */
export const DEVICES = ['cpu', 'cuda', 'tensorrt', 'webgpu', 'coreml', 'dml'] as const;
export type DeviceName = (typeof DEVICES)[number];

export interface DeviceReport {
  readonly name: DeviceName;
  readonly available: boolean;
  /** Why not, in one line. */
  readonly reason?: string;
}

export interface DeviceChoice {
  readonly device: DeviceName;
  /** Where `auto` found nothing better than the processor: what it looked for and why that is absent. */
  readonly note?: string;
}

/** What `auto` takes before the processor; WebGPU must be asked for, since its adapter may be software. */
const PREFERRED: readonly DeviceName[] = ['cuda'];

/** @throws InputError for a name that is no device. */
export function deviceName(name: string): DeviceName | 'auto' {
  const names = ['auto', ...DEVICES] as const;
  const found = names.find((known) => known === name);
  if (found === undefined) {
    // The nearest word to "gpu" would be "cpu".
    const hint = name === 'gpu' ? ' (did you mean "cuda" or "webgpu"?)' : suggestion(name, names);
    throw new InputError(`"${name}" is no device${hint}; there are ${names.join(', ')}.`);
  }
  return found;
}

/**
 * @throws InputError where `wanted` is named and missing: only `auto` falls back, and says so.
 */
export async function chooseDevice(ort: typeof OnnxRuntime, wanted: DeviceName | 'auto'): Promise<DeviceChoice> {
  // The processor needs no proof, and starting takes no longer than it must.
  if (wanted === 'cpu') return { device: 'cpu' };
  if (wanted !== 'auto') {
    const { available, reason } = await probe(ort, wanted);
    if (!available) throw new InputError(`The device "${wanted}" can't be used here: ${reason}`);
    return { device: wanted };
  }
  const missing: string[] = [];
  for (const name of PREFERRED) {
    const { available, reason } = await probe(ort, name);
    if (available) return { device: name };
    missing.push(`${name}: ${reason}`);
  }
  return { device: 'cpu', note: `Running on the processor (${missing.join('; ')}).` };
}

/** Every device, each tried alone: in a list, the engine drops one that is missing without a word. */
export async function probeDevices(ort: typeof OnnxRuntime): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const name of DEVICES) reports.push(await probe(ort, name));
  return reports;
}

async function probe(ort: typeof OnnxRuntime, name: DeviceName): Promise<DeviceReport> {
  if (!ort.listSupportedBackends().some((backend) => backend.name === name))
    return { name, available: false, reason: `not in the build of the engine for ${process.platform} ${process.arch}` };
  try {
    const session = await ort.InferenceSession.create(negation(), { executionProviders: [name], logSeverityLevel: 4 });
    try {
      const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2, 3), [3]) });
      const values = [...(y!.data as Float32Array)];
      if (values.join() !== '-1,-2,-3') throw new Error(`it computed -(1, 2, 3) as ${values.join(', ')}`);
    } finally {
      await session.release();
    }
    return { name, available: true };
  } catch (error) {
    return { name, available: false, reason: reasonOf(error as Error) };
  }
}

/** The last part of the engine's message, without source files and line numbers. */
function reasonOf({ message }: Error): string {
  if (/Failed to load (shared )?library/.test(message)) return 'its libraries are not installed';
  const line = /\S.*/.exec(message)?.[0] ?? 'unknown reason';
  return line.replace(/^.*\.(cc|h|cpp):\d+ .*? was false\. /, '');
}

/** y = -x, x float32 [3]. */
function negation(): Uint8Array {
  const builder = new GraphBuilder('negation');
  builder.output(builder.op('Neg', [builder.input('x', 'float32', [3])]), 'y');
  return writeModel({ graph: builder.build() });
}
