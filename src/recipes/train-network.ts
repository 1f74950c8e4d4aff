import { join } from 'node:path';
import { fit, type Workshop } from './fit.ts';
import type { Network } from './network.ts';
import { predictionsOf } from './held-out-predictions.ts';
import { foldsOf, type TrainingData } from './prepare-data.ts';
import type { ResolvedTrainOptions } from './train-options.ts';
import { planTraining, type TrainingPlan } from './training-plan.ts';
import type { Trained } from './opened-network.ts';
import type { Stages } from './stages.ts';

/** Trains all of a network; then, without validation images, once a fold, to calibrate on what it has not seen. */
export async function trainNetwork(
  workshop: Workshop,
  stages: Stages,
  options: ResolvedTrainOptions,
  method: 'finetune' | 'scratch',
  data: TrainingData,
  start: (samples: TrainingData['train'], folder: string) => Promise<Network>,
): Promise<Trained> {
  const { classes, train: samples, validation } = data;
  const plan = planTraining(options, method, samples.length);
  workshop.onProgress?.({ type: 'note', message: describePlan(plan, samples.length) });
  const network = await stages.run(method, async (folder) => {
    const begun = await start(samples, folder);
    const request = { network: begun, plan, options, train: samples, validation, classes, stage: method };
    return (await fit(workshop, { ...request, checkpoints: join(folder, 'checkpoints') })).network;
  });
  if (validation.length > 0)
    return { network, calibration: await predictionsOf(workshop, network, data, validation, 'validation images') };
  const perClass = classes.map((_, label) => samples.filter((sample) => sample.label === label).length);
  const count = Math.min(options.folds ?? (method === 'scratch' ? 2 : 3), Math.max(...perClass));
  if (count < 2) return { network, calibration: undefined };
  const logits = new Float32Array(samples.length * classes.length);
  for (const [k, fold] of foldsOf(samples, data.duplicates.groups, count, options.seed).entries())
    await stages.run(`fold-${k + 1}`, async (folder) => {
      const begun = await start(fold.train, folder);
      const request = {
        network: begun,
        plan,
        options,
        train: fold.train,
        validation: [],
        classes,
        stage: `fold-${k + 1}`,
      };
      const fitted = await fit(workshop, { ...request, checkpoints: join(folder, 'checkpoints') });
      const predictions = await predictionsOf(workshop, fitted.network, data, fold.held, 'fold');
      for (const [i, sample] of fold.held.entries())
        logits.set(
          predictions.logits.subarray(i * classes.length, (i + 1) * classes.length),
          samples.indexOf(sample) * classes.length,
        );
    });
  const labels = samples.map(({ label }) => label);
  return {
    network,
    calibration: { classes, logits, labels, foundOn: `out-of-fold predictions of ${samples.length} labelled images` },
  };
}

function describePlan(plan: TrainingPlan, count: number): string {
  return (
    `Training on ${count} images: ${plan.epochs} epochs in batches of ${plan.batchSize}, ${plan.optimizer.name}, ` +
    `learning rate ${plan.lr} (head ${plan.headLr}), batch norm ${plan.batchNorm}, ` +
    `${plan.cropScale < 1 ? `random crops from ${plan.cropScale} of the area` : 'no random crops'}, ${plan.flip ? 'flips' : 'no flips'}.`
  );
}
