import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fit } from '../fit.ts';
import { quiet } from '../self-training/self-train-job.ts';
import type { OpenedNetwork } from '../opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import { methodOf } from '../method.ts';
import { planTraining } from '../training-plan.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from '../workshop.ts';

/** Steps to measure by; as many go before, which fill memory. */
const MEASURED_STEPS = 3;

/**
 * How long training takes here and now, by a few steps of it that are thrown away.
 * @returns seconds a labelled image of a step
 */
export async function trainingSeconds(
  workshop: Workshop,
  opened: OpenedNetwork,
  options: ResolvedTrainOptions,
  data: Pick<TrainingData, 'train' | 'unlabeled' | 'classes'>,
): Promise<number> {
  const method = methodOf(options) === 'scratch' ? 'scratch' : 'finetune';
  const images = data.train.length + data.unlabeled.length;
  const usual = planTraining(options, method, data.train.length, images);
  const train = data.train.slice(0, MEASURED_STEPS * usual.batchSize);
  const stepsPerEpoch = usual.consistency === undefined ? Math.ceil(train.length / usual.batchSize) : MEASURED_STEPS;
  const epochs = Math.max(2, Math.ceil((2 * MEASURED_STEPS) / stepsPerEpoch));
  const plan = {
    ...usual,
    epochs,
    ...(usual.consistency && { consistency: { ...usual.consistency, epochs, stepsPerEpoch } }),
  };
  const folder = await mkdtemp(join(tmpdir(), 'gleaner-time-'));
  let rate = 0;
  try {
    await fit(
      {
        ...quiet(workshop),
        choices: { target: workshop.choices.target, microBatch: async (_, decide) => decide() },
        record: (event) => {
          if (event.type === 'epoch') rate = Number(event['imagesPerSecond']);
        },
      },
      {
        network: opened.untrained(),
        plan,
        options,
        train,
        unlabeled: data.unlabeled,
        validation: [],
        classes: data.classes,
        stage: 'time',
        checkpoints: folder,
      },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return 1 / rate;
}
