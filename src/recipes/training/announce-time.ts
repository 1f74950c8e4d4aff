import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compileStep } from '../../train/compile-step.ts';
import { dropoutMask } from '../../train/dropout-mask.ts';
import type { LoopOptions, OpenedPhase } from '../../train/loop.ts';
import { TrainingStep } from '../../train/training-step.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Steps to measure by; one more goes before. */
const MEASURED = 3;

/**
 * Says how long a training will take, by steps of the last phase, in which it trains the most, with what it takes to make their
 * batches; unless the training is taken up again, or nobody listens.
 * @param steps of the whole training
 * @returns the phase it was measured by, as if nothing had been done with it, if it is the first: the loop need not open it again
 */
export async function announceTime(
  { engine, onProgress, record, signal }: Workshop,
  {
    checkpoints,
    phases,
    source,
    stage,
    epochs,
  }: Pick<LoopOptions, 'checkpoints' | 'phases' | 'source' | 'stage' | 'epochs'>,
  steps: number,
): Promise<OpenedPhase | undefined> {
  if (onProgress === undefined || existsSync(join(checkpoints, 'last.safetensors'))) return undefined;
  const phase = phases.at(-1)!;
  const batches = (await phase.openSource?.()) ?? source;
  const opened = { step: await TrainingStep.open(engine, compileStep(phase.step)), source: batches };
  let isHanded = false;
  try {
    const seconds = await secondsAStep(opened, signal);
    const total = steps * seconds;
    record({ type: 'estimate', stage, steps, secondsAStep: seconds, seconds: total });
    onProgress({
      type: 'note',
      message: `About ${total < 90 ? `${Math.ceil(total)} seconds` : `${Math.round(total / 60)} minutes`} for ${stage}: ${steps} steps of ${seconds.toFixed(2)} s, ${epochs} epochs.`,
    });
    if (phases.length > 1) return undefined;
    await opened.step.setState();
    isHanded = true;
    return opened;
  } finally {
    if (!isHanded) await opened.step.release();
  }
}

async function secondsAStep({ step, source }: OpenedPhase, signal: AbortSignal | undefined): Promise<number> {
  const rates = Object.fromEntries(step.compiled.options.parameters.map(({ group }) => [group, 0]));
  const drawMask = (mask: Parameters<typeof dropoutMask>[0]): Float32Array => dropoutMask(mask, ['time']);
  let [taken, start, seconds] = [0, performance.now(), 0];
  for await (const batch of source.epoch(1, 0, signal)) {
    await step.run({ batch, step: 1, rates, drawMask }, signal);
    const now = performance.now();
    seconds = (now - start) / 1000 / Math.max(1, taken);
    // The first opens files and fills memory, and is counted only where it is the only one.
    if (taken === 0) start = now;
    if (++taken > MEASURED) break;
  }
  return seconds;
}
