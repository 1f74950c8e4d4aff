import { plainKernels, type Kernels } from './kernels.ts';
import { wasmKernels } from './wasm-kernels.ts';

let chosen: Kernels | undefined;

/** The fastest that there are, for this thread: all give the same bytes. */
export function fastKernels(): Kernels {
  chosen ??= wasmKernels() ?? plainKernels();
  return chosen;
}
