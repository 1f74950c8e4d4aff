import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { chooseDevice, deviceName, probeDevices } from '../../src/runtime/devices.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { loadOnnxRuntime, type OnnxRuntime } from '../../src/runtime/onnxruntime.ts';

const ort = await loadOnnxRuntime();

/** An engine in which these devices work, and the others fail as named. */
function engineWith(devices: Readonly<Record<string, true | string | readonly number[]>>): typeof OnnxRuntime {
  return {
    Tensor: ort.Tensor,
    listSupportedBackends: () => Object.keys(devices).map((name) => ({ name, bundled: true })),
    InferenceSession: {
      create: (_model: Uint8Array, { executionProviders }: { executionProviders: string[] }) => {
        expect(executionProviders).toHaveLength(1);
        const behaviour = devices[executionProviders[0]!];
        if (typeof behaviour === 'string') return Promise.reject(new Error(behaviour));
        return Promise.resolve({
          run: () =>
            Promise.resolve({ y: { data: Float32Array.from(behaviour === true ? [-1, -2, -3] : behaviour!) } }),
          release: () => Promise.resolve(),
        });
      },
    },
  } as unknown as typeof OnnxRuntime;
}
const noCuda = 'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library';

describe('auto', () => {
  test('takes a device that works', async () => {
    expect(await chooseDevice(engineWith({ cpu: true, cuda: true }), 'auto')).toEqual({ device: 'cuda' });
  });
  test('falls back to the processor and says why', async () => {
    expect(await chooseDevice(engineWith({ cpu: true, cuda: noCuda }), 'auto')).toEqual({
      device: 'cpu',
      note: 'Running on the processor (cuda: its libraries are not installed).',
    });
  });
});

describe('a device asked for by name', () => {
  test('is taken where it works', async () => {
    expect(await chooseDevice(engineWith({ cpu: true, webgpu: true }), 'webgpu')).toEqual({ device: 'webgpu' });
  });
  test('is an error where it does not, never another one', async () => {
    const cuda = chooseDevice(engineWith({ cpu: true, cuda: noCuda }), 'cuda');
    await expect(cuda).rejects.toThrow(InputError);
    await expect(cuda).rejects.toThrow(`The device "cuda" can't be used here: its libraries are not installed`);
  });
  test('and one that loads but computes nonsense is not there', async () => {
    const webgpu = chooseDevice(engineWith({ webgpu: [0, 0, 0] }), 'webgpu');
    await expect(webgpu).rejects.toThrow('it computed -(1, 2, 3) as 0, 0, 0');
  });
  test('has a known name', () => {
    expect(deviceName('webgpu')).toBe('webgpu');
    expect(() => deviceName('coda')).toThrow(/\(did you mean "cuda"\?\)/);
    expect(() => deviceName('gpu')).toThrow(
      /"gpu" is no device \(did you mean "cuda" or "webgpu"\?\); there are auto, cpu/,
    );
  });
});

test('every device is reported, with a reason in words where it is absent', async () => {
  const reports = await probeDevices(
    engineWith({
      cpu: true,
      webgpu:
        '/src/webgpu_context.cc:136 onnxruntime::webgpu::Initialize()::<lambda()> status == Success was false. No supported adapters\n',
    }),
  );
  expect(reports.find(({ name }) => name === 'cpu')).toEqual({ name: 'cpu', available: true });
  expect(reports.find(({ name }) => name === 'webgpu')?.reason).toBe('No supported adapters');
  expect(reports.find(({ name }) => name === 'coreml')?.reason).toBe(
    `not in the build of the engine for ${process.platform} ${process.arch}`,
  );
});

test('the engine installed here has a processor, and a reason for every device that it lacks', async () => {
  await using engine = await Engine.start();
  for (const { name, available, reason } of await engine.devices()) {
    if (name === 'cpu') expect(available).toBe(true);
    if (!available) expect(reason).toMatch(/^[^/\n]+$/);
  }
  if (engine.device === 'cpu') expect(engine.deviceNote).toMatch(/^Running on the processor \(cuda: /);
});
