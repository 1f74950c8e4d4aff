import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built command line in a process of its own. */
export function startGleaner(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly input?: string } = {},
): { readonly process: ChildProcess; readonly finished: Promise<Finished> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(options.input ?? '');
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const finished = new Promise<Finished>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return { process: child, finished };
}

export function runGleaner(args: readonly string[], options?: Parameters<typeof startGleaner>[1]): Promise<Finished> {
  return startGleaner(args, options).finished;
}

/** The last JSON line of standard output; fails where any line is not JSON. */
export function lastJson({ stdout }: Finished): Record<string, unknown> {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.at(-1)!;
}

/** Waits until a run has recorded the end of `count` epochs. */
export async function untilEpochs(run: string, count: number): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const text = await readFile(join(run, 'events.jsonl'), 'utf8').catch(() => '');
    if (text.split('"type":"epoch"').length > count) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${run} recorded no epoch in a minute.`);
}
