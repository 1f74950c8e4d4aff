import { join } from 'node:path';
import { checkPolicyClasses, checkPolicySize } from '../../augment/check-policy.ts';
import { withoutCopies } from '../../datasets/protocol.ts';
import { fit } from './fit.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { Network } from '../networks/network.ts';
import { blended, likeliestShare, type TrainedPair } from './choose-blend.ts';
import { predictionsOf, type HeldOutPredictions } from '../results/held-out-predictions.ts';
import { heldOutlierScores } from '../results/outlier-scoring.ts';
import { foldsOf, unlabeledImages, type TrainingData } from '../prepare-data.ts';
import { preprocessingIn } from './smaller-images.ts';
import { drawnSize, type Teaching } from '../distillation/teaching.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { planTraining, type TrainingPlan } from './training-plan.ts';
import { viewsOfImage } from '../consistency/consistency-plan.ts';
import type { Trained } from '../networks/opened-network.ts';
import type { RunStage } from '../stages.ts';

/**
 * Trains all of a network; then, without validation images, once a fold, to calibrate on what it has not seen and
 * to choose how much of the training to keep.
 */
export async function trainNetwork(
  workshop: Workshop,
  stages: RunStage,
  options: ResolvedTrainOptions,
  method: 'finetune' | 'scratch',
  data: TrainingData,
  start: (samples: TrainingData['train'], folder: string) => Promise<Network>,
  teaching?: Teaching,
): Promise<Trained> {
  const { classes, train: samples, validation } = data;
  // With a teacher, images without a label are trained on like any other.
  const taught = teaching === undefined ? 0 : data.unlabeled.length;
  const plan = planTraining(options, method, samples.length + taught, unlabeledImages(data));
  checkPolicyClasses(plan.augment, classes);
  workshop.onProgress?.({ type: 'note', message: describePlan(plan, options, samples.length + taught) });
  const pair = await stages.run(method, (folder) => trained(samples, validation, method, folder));
  if (validation.length > 0) {
    const held = await predictionsOfBlends(workshop, plan, pair, data, validation, 'validation images');
    return chosen(workshop, plan, pair, held, (share) =>
      heldOutlierScores(workshop, blended(pair, share), data, validation, options.seed),
    );
  }
  const folds = foldsOf(samples, data, options.folds ?? defaultFolds(method, data, plan), options.seed);
  if (folds.length === 0) return { network: blended(pair, plan.blendShares.at(-1)!), calibration: undefined };
  const logits = plan.blendShares.map(() => new Float32Array(samples.length * classes.length));
  const pairs: TrainedPair[] = [];
  for (const [k, fold] of folds.entries()) {
    const stage = `fold-${k + 1}`;
    await stages.run(stage, async (folder) => {
      const ofFold = await trained(fold.train, [], stage, folder, fold.held);
      pairs.push(ofFold);
      const held = await predictionsOfBlends(workshop, plan, ofFold, data, fold.held, 'fold');
      for (const [at, predictions] of held.entries())
        for (const [i, sample] of fold.held.entries())
          logits[at]!.set(
            predictions.logits.subarray(i * classes.length, (i + 1) * classes.length),
            samples.indexOf(sample) * classes.length,
          );
    });
  }
  const labels = samples.map(({ label }) => label);
  const ids = samples.map(({ id }) => id);
  const foundOn = `out-of-fold predictions of ${samples.length} labelled images`;
  return chosen(
    workshop,
    plan,
    pair,
    logits.map((values) => ({ classes, logits: values, labels, ids, foundOn })),
    async (share) => {
      const outliers = new Float32Array(samples.length);
      for (const [k, { train, held }] of folds.entries()) {
        const images = { train, unlabeled: withoutCopies(data.unlabeled, held, data.duplicates.groups) };
        const scores = await heldOutlierScores(workshop, blended(pairs[k]!, share), images, held, options.seed);
        for (const [i, sample] of held.entries()) outliers[samples.indexOf(sample)] = scores[i]!;
      }
      return outliers;
    },
  );

  async function trained(
    train: TrainingData['train'],
    held: TrainingData['validation'],
    stage: string,
    folder: string,
    hidden: TrainingData['validation'] = held,
  ): Promise<TrainedPair> {
    const begun = await start(train, folder);
    for (const epoch of [1, plan.epochs]) {
      const preprocessing = preprocessingIn(epoch, begun.preprocessing, plan.epochs, options);
      const [height, width] = teaching === undefined ? preprocessing.inputSize : drawnSize(teaching, preprocessing);
      for (const policy of [plan.augment, ...(plan.consistency ? [plan.consistency.strong] : [])])
        checkPolicySize(policy, { width, height });
    }
    const checkpoints = join(folder, 'checkpoints');
    const unlabeled = withoutCopies(data.unlabeled, hidden, data.duplicates.groups);
    const images = { train, unlabeled, validation: held, classes };
    const request = { network: begun, plan, options, teaching, ...images, stage, checkpoints };
    return { start: begun, trained: (await fit(workshop, request)).network };
  }
}

/** Each costs a training. For the score, a fold's network should see nearly as much as the final one. */
export function defaultFolds(
  method: 'finetune' | 'scratch',
  { crossValidated }: TrainingData,
  { consistency }: Pick<TrainingPlan, 'consistency'> = {},
): number {
  // With unlabelled images each takes as long as all of the training.
  if (consistency !== undefined) return crossValidated ? 2 : 0;
  return crossValidated ? 5 : method === 'scratch' ? 2 : 3;
}

/** Predictions of the blend at each share of the plan. */
async function predictionsOfBlends(
  workshop: Workshop,
  { blendShares }: TrainingPlan,
  pair: TrainedPair,
  data: TrainingData,
  samples: TrainingData['train'],
  foundOn: string,
): Promise<HeldOutPredictions[]> {
  const all: HeldOutPredictions[] = [];
  for (const share of blendShares)
    all.push(await predictionsOf(workshop, blended(pair, share), data, samples, foundOn));
  return all;
}

/** @param outliers scores of the same images, by the networks at a share */
async function chosen(
  { onProgress, record }: Workshop,
  { blendShares }: TrainingPlan,
  pair: TrainedPair,
  held: readonly HeldOutPredictions[],
  outliers: (share: number) => Promise<Float32Array>,
): Promise<Trained> {
  const { share, predictions, nll } = likeliestShare(blendShares, held);
  if (blendShares.length > 1) {
    record({ type: 'blend', shares: blendShares, nll, share });
    const list = blendShares.map((of, i) => `${of}: ${nll[i]!.toFixed(3)}`).join(', ');
    onProgress?.({
      type: 'note',
      message: `Share of the trained weights in the result: ${share} (negative log-likelihood on ${predictions.foundOn}: ${list}).`,
    });
  }
  return { network: blended(pair, share), calibration: { ...predictions, outliers: await outliers(share) } };
}

function describePlan(plan: TrainingPlan, { consistency, method }: ResolvedTrainOptions, count: number): string {
  const agreement = consistency === undefined ? '' : `, consistency of views ${consistency}`;
  const { consistency: own, batchSize } = plan;
  const unlabelled =
    own === undefined
      ? ''
      : `\nWith ${own.images - count} unlabelled images (${method}), ${own.ratio} to each labelled one: ${own.stepsPerEpoch * own.epochs} steps of ` +
        `${batchSize * (1 + viewsOfImage(own) * own.ratio)} views; ${own.parts.mixing === undefined ? `strong views ${own.strong.text}` : 'weak views mixed'}.`;
  return (
    `Training on ${count} images: ${plan.epochs} epochs in batches of ${batchSize}, ${plan.optimizer.name}, ` +
    `learning rate ${plan.lr} (head ${plan.headLr}), batch norm ${plan.batchNorm}, ` +
    `augmentation ${plan.augment.text}${agreement}.${unlabelled}`
  );
}
