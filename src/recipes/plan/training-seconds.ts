import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fit } from '../training/fit.ts';
import { quiet } from '../self-training/self-train-job.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import { methodOf } from '../method.ts';
import { planTraining } from '../training/training-plan.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Steps to measure by, at least; as many go before, which fill memory. */
const MEASURED_STEPS = 3;
/** Steps that are over sooner are more: at first, images lie ready that are varied beside the engine later on. */
const MEASURED_SECONDS = 4;

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
  const few = await bySteps(workshop, opened, options, data, MEASURED_STEPS);
  const more = Math.ceil(MEASURED_SECONDS / (few.seconds * few.batchSize));
  return more <= 2 * MEASURED_STEPS ? few.seconds : (await bySteps(workshop, opened, options, data, more)).seconds;
}

async function bySteps(
  workshop: Workshop,
  opened: OpenedNetwork,
  options: ResolvedTrainOptions,
  data: Pick<TrainingData, 'train' | 'unlabeled' | 'classes'>,
  steps: number,
): Promise<{ readonly seconds: number; readonly batchSize: number }> {
  const method = methodOf(options) === 'scratch' ? 'scratch' : 'finetune';
  const images = data.train.length + data.unlabeled.length;
  const usual = planTraining(options, method, data.train.length, images);
  const train = data.train.slice(0, steps * usual.batchSize);
  const stepsPerEpoch = usual.consistency === undefined ? Math.ceil(train.length / usual.batchSize) : steps;
  const epochs = Math.max(2, Math.ceil((2 * steps) / stepsPerEpoch));
  const plan = {
    ...usual,
    epochs,
    ...(usual.consistency && { consistency: { ...usual.consistency, epochs, stepsPerEpoch } }),
  };
  const folder = await mkdtemp(join(tmpdir(), 'gleaner-time-'));
  const secondsAnImage: number[] = [];
  try {
    await fit(
      {
        ...quiet(workshop),
        choices: { target: workshop.choices.target, microBatch: async (_, decide) => decide() },
        record: (event) => {
          if (event.type === 'epoch') secondsAnImage.push(1 / Number(event['imagesPerSecond']));
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
  const later = secondsAnImage.slice(Math.floor(secondsAnImage.length / 2));
  return { seconds: later.reduce((sum, value) => sum + value, 0) / later.length, batchSize: usual.batchSize };
}
