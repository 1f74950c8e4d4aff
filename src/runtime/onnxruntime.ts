import type * as OnnxRuntime from 'onnxruntime-node';
import { RunError } from '../core/errors.ts';

export type { OnnxRuntime };

/**
 * Loads ONNX Runtime's native library into this process.
 * @throws RunError where it has no binary for this platform, or the binary can't be loaded.
 */
export async function loadOnnxRuntime(
  importPackage: () => Promise<unknown> = () => import('onnxruntime-node'),
): Promise<typeof OnnxRuntime> {
  try {
    const loaded = (await importPackage()) as { default?: typeof OnnxRuntime } & typeof OnnxRuntime;
    const runtime = loaded.default ?? loaded;
    // Messages of the environment, before there is a session: a missing provider is reported by us.
    runtime.env.logLevel = 'fatal';
    keepHalfFloatsAsBits(runtime);
    return runtime;
  } catch (error) {
    throw new RunError(whyNot(error as NodeJS.ErrnoException), { cause: error });
  }
}

/**
 * Node 24 has a Float16Array, onnxruntime-common then uses it, and the native binding of 1.30 takes it for
 * empty ("not enough space: expected 6, got 0"). The package looks for it once, when the first tensor is
 * made: where it finds none, half floats are their bits in a Uint16Array, as they are everywhere here.
 */
function keepHalfFloatsAsBits(runtime: typeof OnnxRuntime): void {
  const found = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  if (found === undefined) return;
  Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    void new runtime.Tensor('bool', [false]);
  } finally {
    Object.defineProperty(globalThis, 'Float16Array', found);
  }
}

function whyNot(error: NodeJS.ErrnoException): string {
  const platform = `${process.platform} ${process.arch}`;
  if (/onnxruntime_binding\.node/.test(error.message) && error.code === 'MODULE_NOT_FOUND')
    return (
      `ONNX Runtime (onnxruntime-node 1.30) has no binary for ${platform}: it exists for Linux and Windows on ` +
      `x64 and arm64, and for macOS on Apple silicon. On an Intel Mac, use a Linux container.`
    );
  if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')
    return `The package onnxruntime-node is not installed: run "npm ci" in the checkout, or "npm install" again.`;
  // glibc or C++ runtime too old, musl (Alpine), a library of the system that is missing.
  return (
    `ONNX Runtime can't be loaded on ${platform}: ${error.message}. ` +
    `On Linux it needs glibc 2.28 or newer (Alpine's musl will not do).`
  );
}
