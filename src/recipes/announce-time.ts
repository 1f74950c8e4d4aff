import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compileStep } from '../train/compile-step.ts';
import { dropoutMask } from '../train/dropout-mask.ts';
import type { BatchSource } from '../train/batch-source.ts';
import type { Phase } from '../train/loop.ts';
import { TrainingStep } from '../train/training-step.ts';
import type { TrainingPlan } from './training-plan.ts';
import type { Workshop } from './workshop.ts';

/** Steps to measure by; one more goes before. */
const MEASURED = 3;

/**
 * Says how long a training will take, by steps that change nothing, with what it takes to make their batches, unless it is
 * taken up again.
 */
export async function announceTime(
  { engine, onProgress, record, signal }: Workshop,
  { checkpoints, plan, stage }: { readonly checkpoints: string; readonly plan: TrainingPlan; readonly stage: string },
  phase: Phase,
  source: BatchSource,
  steps: number,
): Promise<void> {
  if (existsSync(join(checkpoints, 'last.safetensors'))) return;
  const step = await TrainingStep.open(engine, compileStep(phase.step));
  try {
    const rates = Object.fromEntries(phase.step.parameters.map(({ group }) => [group, 0]));
    const batches = (await phase.openSource?.()) ?? source;
    let [taken, start, seconds] = [0, performance.now(), 0];
    for await (const batch of batches.epoch(1, 0, signal)) {
      const drawMask = (mask: Parameters<typeof dropoutMask>[0]): Float32Array => dropoutMask(mask, ['time']);
      await step.run({ batch, step: 1, rates, drawMask }, signal);
      const now = performance.now();
      seconds = (now - start) / 1000 / Math.max(1, taken);
      // The first opens files and fills memory, and is counted only where it is the only one.
      if (taken === 0) start = now;
      if (++taken > MEASURED) break;
    }
    const total = steps * seconds;
    record({ type: 'estimate', stage, steps, secondsAStep: seconds, seconds: total });
    onProgress?.({
      type: 'note',
      message: `About ${total < 90 ? `${Math.ceil(total)} seconds` : `${Math.round(total / 60)} minutes`} for ${stage}: ${steps} steps of ${seconds.toFixed(2)} s, ${plan.epochs} epochs.`,
    });
  } finally {
    await step.release();
  }
}
