import { trainableParameters } from '../../autodiff/parameters.ts';
import { mixes } from '../../augment/policy.ts';
import type { Target } from '../../lowering/target.ts';
import { selectTrainable } from '../../models/freeze.ts';
import { parameterGroups } from '../../models/parameter-groups.ts';
import type { DistillationLoss } from '../../train/distillation-objective.ts';
import { objectiveOf, type StepLoss } from '../../train/step-loss.ts';
import type { StepOptions } from '../../train/step-options.ts';
import type { Phase } from '../../train/loop.ts';
import { planParameters, unfreezePhases } from '../../train/parameter-plan.ts';
import { consistencyLoss, HALF_LIFE } from '../consistency/consistency-plan.ts';
import { LABEL_LOSSES } from './label-loss-names.ts';
import type { Network } from '../networks/network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import { beginningSmaller, onSmallerImages, smallerEpochs } from './smaller-images.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { withNoise } from './training-noise.ts';
import type { TrainingPlan } from './training-plan.ts';

export interface TrainingSteps {
  /** More than one where layers are unfrozen gradually, or images are smaller at first. */
  readonly phases: readonly Phase[];
  /** Peak learning rate of each group of parameters. */
  readonly rates: Readonly<Record<string, number>>;
  /** Images a step, however many views it has of each. */
  readonly batchSize: number;
}

/** What is learnt from, beside images with labels. */
export interface FurtherImages {
  /** Images without one. */
  readonly unlabeled?: number;
  /** Images with probabilities as labels, each with a weight. */
  readonly machineLabelled?: number;
  /** Where a teacher says what they show. */
  readonly loss?: DistillationLoss | undefined;
}

/**
 * What is trained, at which rates, by which step.
 * @throws InputError for a pattern of `train` or `freeze` that matches nothing, and noise that there is no place for.
 */
export function trainingSteps(
  network: Network,
  plan: TrainingPlan,
  options: ResolvedTrainOptions,
  samples: readonly LabelledSample[],
  classes: number,
  target: Target,
  { loss: taught, unlabeled = 0, machineLabelled = 0 }: FurtherImages = {},
): TrainingSteps {
  const count = samples.length + unlabeled + machineLabelled;
  const loss = lossOf(plan, options, samples, classes, taught && withHalfLife(taught, plan.epochs * count));
  const own = trainableParameters(network.graph, network.logits);
  // What only the lesson reads is trained whatever patterns say of the network.
  const added = objectiveOf(loss).outputs.flatMap((output) =>
    trainableParameters(network.graph, output).filter((name) => !own.includes(name)),
  );
  const trainable = [...selectTrainable(network.graph, own, options), ...added];
  const groups = parameterGroups(network.graph, trainable);
  const { parameters, rates } = planParameters(groups, {
    rate: plan.lr,
    headRate: plan.headLr,
    head: network.head,
    layerDecay: options.layerDecay,
  });
  const isSoft =
    taught !== undefined ||
    machineLabelled > 0 ||
    mixes(plan.augment) ||
    // Methods that learn from unlabelled images take the likeliest class.
    (plan.consistency === undefined && samples.some(({ chances }) => chances !== undefined));
  const microBatch = Math.min(plan.batchSize, count);
  const imagesOf = (sized: Network): Pick<StepOptions, 'graph' | 'images'> => ({
    graph: withNoise(sized, options),
    images: { kind: 'pixels', preprocessing: sized.preprocessing },
  });
  const step: Omit<StepOptions, 'parameters'> = {
    ...imagesOf(network),
    input: network.input,
    logits: network.logits,
    labels: isSoft ? 'distributions' : 'indices',
    sampleWeights: machineLabelled > 0,
    loss,
    microBatch,
    microBatches: options.accumulate,
    ...(options.recompute !== undefined && { recompute: options.recompute }),
    batchNorm: plan.batchNorm,
    optimizer: plan.optimizer,
    ...(plan.ema > 0 && { averageDecay: plan.ema }),
    target,
  };
  const full = unfreezePhases(groups, options.unfreezeEpochs).map(({ fromEpoch, names }) => ({
    fromEpoch,
    step: { ...step, parameters: parameters.filter(({ name }) => names.includes(name)) },
  }));
  const small = smallerEpochs(plan.epochs, options);
  const phases =
    small === 0 ? full : beginningSmaller(full, imagesOf(onSmallerImages(network, options.trainSize!)), small);
  return { phases, rates, batchSize: imagesOfStep(plan, options, count) };
}

function lossOf(
  plan: TrainingPlan,
  options: ResolvedTrainOptions,
  samples: readonly LabelledSample[],
  classes: number,
  taught: DistillationLoss | undefined,
): StepLoss {
  const { consistency, labelSmoothing: smoothing } = plan;
  if (consistency !== undefined) {
    const batchSize = imagesOfStep(plan, options, samples.length);
    return consistencyLoss(consistency, { batchSize, classes, smoothing });
  }
  const weights = options.classWeights === 'balanced' && { classWeights: balancedWeights(samples, classes) };
  if (taught !== undefined) return { ...taught, smoothing, ...weights };
  return {
    name: LABEL_LOSSES[options.loss],
    smoothing,
    ...weights,
    ...(options.consistency !== undefined && { consistency: options.consistency }),
  };
}

/** With that of the student's average, where this is the teacher. @param images of the whole training */
function withHalfLife(loss: DistillationLoss, images: number): DistillationLoss {
  return loss.taught.average === true ? { ...loss, halfLife: HALF_LIFE * images } : loss;
}

/** How many images a step of training sees. */
export function imagesOfStep(
  plan: Pick<TrainingPlan, 'batchSize'>,
  options: Pick<ResolvedTrainOptions, 'accumulate'>,
  samples: number,
): number {
  return Math.min(plan.batchSize, samples) * options.accumulate;
}

/** The same steps in passes of another size; a step's images stay the same. */
export function inPasses({ phases, ...rest }: TrainingSteps, microBatch: number): TrainingSteps {
  return {
    ...rest,
    phases: phases.map(({ fromEpoch, step }) => ({
      fromEpoch,
      step: { ...step, microBatch, microBatches: rest.batchSize / microBatch },
    })),
  };
}

/** n / (K n_k): every class weighs the same in the loss. */
function balancedWeights(samples: readonly LabelledSample[], classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (const { label } of samples) counts[label]!++;
  return counts.map((count) => (count === 0 ? 1 : samples.length / (classes * count)));
}
