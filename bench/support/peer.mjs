// The peer of a benchmark: a Python process that answers one JSON line to each it reads (bench/peers/*.py).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The Python of GLEANER_BENCH_PYTHON; undefined where it is not set. */
export const peerPython = () => process.env.GLEANER_BENCH_PYTHON || undefined;

export const NO_PEER = 'PyTorch skipped: GLEANER_BENCH_PYTHON names no Python.';

/**
 * Starts bench/peers/NAME.py.
 * @returns undefined without a Python. `ask` hands back the answer, which is { error } where the question could not
 * be answered; once the process has ended, every answer is one.
 */
export function startPeer(name, { threads } = {}) {
  const python = peerPython();
  if (python === undefined) return undefined;
  const child = spawn(python, [fileURLToPath(new URL(`../peers/${name}.py`, import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...(threads !== undefined && { BENCH_THREADS: String(threads) }) },
  });
  let fault;
  child.on('error', (error) => (fault = error));
  child.stdin.on('error', (error) => (fault ??= error));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      if (fault !== undefined) return { error: `PyTorch: ${fault.message}` };
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (!done) return JSON.parse(value);
      fault ??= new Error('the process ended');
      return { error: `PyTorch: ${fault.message}` };
    },
    stop: () => child.kill(),
  };
}
