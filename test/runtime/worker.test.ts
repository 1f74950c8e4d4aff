import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { RunError } from '../../src/core/errors.ts';
import { WorkerClient } from '../../src/runtime/worker-client.ts';
import { packError, unpackError } from '../../src/runtime/worker-messages.ts';
import { enter, leave, newWorkerState } from '../../src/runtime/worker-state.ts';

interface DyingApi {
  [method: string]: (...args: never[]) => unknown;
  echo(value: string): string;
  throw(): void;
  exit(): void;
  never(): void;
  close(): void;
}
const fixture = new URL('fixtures/dying-worker.mjs', import.meta.url);

describe('a thread that dies', () => {
  test.each([
    ['throw', /The thread of the test died: out of luck/],
    ['exit', /The thread of the test ended unexpectedly \(code 7\)/],
  ] as const)('by %s rejects every pending call and every later one', async (method, message) => {
    const client = new WorkerClient<DyingApi>(fixture, 'the test');
    expect(await client.call('echo', ['hello'])).toBe('hello');
    const calls = [client.call('never', []), client.call(method, [])].map((call) =>
      call.then(
        () => 'no error',
        (error: unknown) => error,
      ),
    );
    for (const error of await Promise.all(calls)) {
      expect(error).toBeInstanceOf(RunError);
      expect((error as Error).message).toMatch(message);
    }
    await expect(client.call('echo', ['again'])).rejects.toThrow(message);
    await client.close();
  });
});

test('errors keep their class between threads', () => {
  for (const error of [new RunError('a'), new RangeError('b'), new TypeError('c'), new Error('d')]) {
    const back = unpackError(structuredClone(packError(error)));
    expect(back).toEqual(error);
    expect(back.constructor).toBe(error.constructor);
  }
  expect(unpackError(packError('text')).message).toBe('text');
});

test('after the process has begun to end, no native work starts', () => {
  const state = newWorkerState();
  expect(enter(state)).toBe(true);
  leave(state);
  Atomics.store(state, 0, 1);
  expect(enter(state)).toBe(false);
  expect(Atomics.load(state, 1)).toBe(0);
});

/** A program with an engine and 100 slow runs at hand. */
function script(body: string): string {
  return `
    const { Engine } = await import(${JSON.stringify(new URL('../../dist/runtime/engine.js', import.meta.url).href)});
    const engine = await Engine.start({ device: 'cpu', threads: 1 });
    const slow = await engine.load(${JSON.stringify(new URL('golden/slow.onnx', import.meta.url).pathname)});
    const x = { dtype: 'float32', shape: [600, 600], data: new Float32Array(360000) };
    const run = () => engine.runAll(Array.from({ length: 100 }, () => ({ session: slow, feeds: { x } }))).catch(() => {});
    ${body}`;
}

function node(body: string) {
  const args = ['--input-type=module', '-e', script(body)];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
}

// Ending the thread inside a native run aborts the process: exit code 134, a core file, and words of C++.
describe('the end of the process', () => {
  test('process.exit in the middle of a run ends with its own code', () => {
    const { status, stderr } = node('run(); setTimeout(() => process.exit(3), 150);');
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
  });

  test('so does an error that nobody catches', () => {
    const { status, stderr } = node("run(); setTimeout(() => { throw new Error('mine'); }, 150);");
    expect(status).toBe(1);
    expect(stderr).toContain('Error: mine');
    expect(stderr).not.toContain('terminate');
  });

  test('disposing ends before the process does', () => {
    const { status, stdout } = node("await engine.dispose(); console.log('done');");
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'done\n' });
  });

  test('an engine that was not disposed does not keep the process alive', () => {
    const { status, stdout } = node("await engine.run(slow, { feeds: { x } }); console.log('done');");
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'done\n' });
  });
});
