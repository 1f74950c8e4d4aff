import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compileStep } from '../train/compile-step.ts';
import { dropoutMask } from '../train/dropout-mask.ts';
import type { BatchSource } from '../train/batch-source.ts';
import type { Phase } from '../train/loop.ts';
import { TrainingStep } from '../train/training-step.ts';
import type { FitRequest } from './fit.ts';
import type { Workshop } from './workshop.ts';

/** Steps to measure by; one more goes before. */
const MEASURED = 3;

/** Says how long a training will take, by steps that change nothing, unless it is taken up again. */
export async function announceTime(
  { engine, onProgress, record, signal }: Workshop,
  { checkpoints, plan, stage }: Pick<FitRequest, 'checkpoints' | 'plan' | 'stage'>,
  phase: Phase,
  source: BatchSource,
  steps: number,
): Promise<void> {
  if (existsSync(join(checkpoints, 'last.safetensors'))) return;
  const step = await TrainingStep.open(engine, compileStep(phase.step));
  try {
    const rates = Object.fromEntries(phase.step.parameters.map(({ group }) => [group, 0]));
    const batches = (await phase.openSource?.()) ?? source;
    for await (const batch of batches.epoch(1, 0, signal)) {
      const drawMask = (mask: Parameters<typeof dropoutMask>[0]): Float32Array => dropoutMask(mask, ['time']);
      await step.run({ batch, step: 1, rates, drawMask }, signal);
      const start = performance.now();
      for (let i = 0; i < MEASURED; i++) await step.run({ batch, step: 1, rates, drawMask }, signal);
      const secondsAStep = (performance.now() - start) / 1000 / MEASURED;
      const seconds = steps * secondsAStep;
      record({ type: 'estimate', stage, steps, secondsAStep, seconds });
      onProgress?.({
        type: 'note',
        message: `About ${seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.round(seconds / 60)} minutes`} for ${stage}: ${steps} steps of ${secondsAStep.toFixed(2)} s, ${plan.epochs} epochs.`,
      });
      return;
    }
  } finally {
    await step.release();
  }
}
