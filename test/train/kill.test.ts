import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runStatus } from '../../src/train/run-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'gleaner-kill-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const child = fileURLToPath(new URL('fixtures/train-child.mjs', import.meta.url));
const FILES = ['weights.safetensors', 'checkpoints/last.safetensors', 'checkpoints/best.safetensors'];

/** Steps after which the process is killed, and milliseconds more to meet it elsewhere: in a step, in a save, in an epoch's end. */
const KILLS: readonly (readonly [steps: number, delayMs: number])[] = [
  [1, 0],
  [3, 3],
  [4, 9],
];

describe.each(['sgd', 'adamw-ema'])('%s, killed and resumed', (kind) => {
  it('ends with the bytes of a run that never was', async () => {
    const straight = join(root, `${kind}-straight`);
    expect(await train(straight, kind)).toBe('done');
    const broken = join(root, `${kind}-broken`);
    for (const [steps, delayMs] of KILLS) {
      expect(await train(broken, kind, steps, delayMs)).toBe('killed');
      expect(await runStatus(broken)).toEqual({ state: 'interrupted' });
    }
    expect(await train(broken, kind)).toBe('done');
    expect(await runStatus(broken)).toEqual({ state: 'finished' });
    for (const file of FILES) {
      const bytes = (run: string): Buffer => readFileSync(join(run, 'stages/01-scratch', file));
      expect(bytes(broken).equals(bytes(straight)), file).toBe(true);
    }
  });
});

/** Runs the child to its end, or kills it some steps and milliseconds after its start. */
async function train(folder: string, kind: string, killAfterSteps = Infinity, delayMs = 0): Promise<'done' | 'killed'> {
  const spawned = spawn(process.execPath, [child, folder, kind], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<NodeJS.Signals | number>((resolve) => {
    spawned.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
  });
  let errors = '';
  spawned.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  let steps = 0;
  spawned.stdout.on('data', (text: Buffer) => {
    steps += text.toString().split('step ').length - 1;
    if (steps >= killAfterSteps) void sleep(delayMs).then(() => spawned.kill('SIGKILL'));
  });
  const how = await ended;
  if (how === 0) return 'done';
  if (how === 'SIGKILL') return 'killed';
  throw new Error(`The child ended with ${how}: ${errors}`);
}
