import { mkdir } from 'node:fs/promises';
import type { OnProgress } from '../core/progress.ts';
import { trainableParameters } from '../autodiff/parameters.ts';
import type { EvaluationCrops } from '../batches/evaluation-crops.ts';
import type { ImagePool } from '../batches/image-pool.ts';
import { TrainingBatches, type TrainingItem } from '../batches/training-batches.ts';
import type { LabelledSample } from './prepare-data.ts';
import type { Target } from '../lowering/lower.ts';
import { selectTrainable } from '../models/freeze.ts';
import { parameterGroups } from '../models/parameter-groups.ts';
import { schedule } from '../optim/schedules.ts';
import type { Engine } from '../runtime/engine.ts';
import type { NewEvent } from '../train/events.ts';
import { trainLoop, type LoopResult, type Validation } from '../train/loop.ts';
import { planParameters, unfreezePhases } from '../train/parameter-plan.ts';
import type { StepOptions } from '../train/compile-step.ts';
import { withWeights } from '../train/weights.ts';
import { evaluatePredictions } from '../evaluate/evaluation.ts';
import { onPixels, type Network } from './network.ts';
import { outputsOf } from './outputs.ts';
import type { ResolvedTrainOptions } from './train-options.ts';
import type { TrainingPlan } from './training-plan.ts';

/** What every stage of a run shares. */
export interface Workshop {
  readonly engine: Engine;
  readonly target: Target;
  readonly pool: ImagePool;
  readonly crops: EvaluationCrops;
  readonly record: (event: NewEvent) => void;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FitRequest {
  readonly network: Network;
  readonly plan: TrainingPlan;
  readonly options: ResolvedTrainOptions;
  readonly train: readonly LabelledSample[];
  /** Chooses the best epoch and ends training early; absent: the last weights count. */
  readonly validation: readonly LabelledSample[];
  readonly classes: readonly string[];
  /** Part of every random key: `finetune`, `fold-1`. */
  readonly stage: string;
  /** Where checkpoints are kept and taken up again. */
  readonly checkpoints: string;
}

/** Trains a network on labelled images and returns it with its new weights. */
export async function fit(workshop: Workshop, request: FitRequest): Promise<{ network: Network; result: LoopResult }> {
  const { network, plan, options, train, validation, stage, classes } = request;
  const { engine, pool, crops, signal, onProgress } = workshop;
  await mkdir(request.checkpoints, { recursive: true });
  const trainable = selectTrainable(network.graph, trainableParameters(network.graph, network.logits), options);
  const groups = parameterGroups(network.graph, trainable);
  const { parameters, rates } = planParameters(groups, {
    rate: plan.lr,
    headRate: plan.headLr,
    head: network.head,
    layerDecay: options.layerDecay,
  });
  const items = train.map((sample): TrainingItem => ({ ...sample, target: sample.label }));
  const batchSize = Math.min(plan.batchSize, items.length);
  const source = new TrainingBatches(pool, crops, {
    items,
    batchSize: batchSize * options.accumulate,
    policy: {
      flip: plan.flip,
      ...(plan.cropScale < 1 && { crop: { scale: [plan.cropScale, 1] as const, ratio: [3 / 4, 4 / 3] as const } }),
    },
    seed: options.seed,
    stage,
  });
  const step: Omit<StepOptions, 'parameters'> = {
    graph: network.graph,
    input: network.input,
    logits: network.logits,
    images: { kind: 'pixels', preprocessing: network.preprocessing },
    labels: 'indices',
    loss: {
      name: 'cross-entropy',
      smoothing: plan.labelSmoothing,
      ...(options.classWeights === 'balanced' && { classWeights: balancedWeights(train, classes.length) }),
    },
    microBatch: batchSize,
    microBatches: options.accumulate,
    batchNorm: plan.batchNorm,
    optimizer: plan.optimizer,
    ...(plan.ema > 0 && { averageDecay: plan.ema }),
    target: workshop.target,
  };
  const phases = unfreezePhases(groups, options.unfreezeEpochs).map(({ fromEpoch, names }) => ({
    fromEpoch,
    step: { ...step, parameters: parameters.filter(({ name }) => names.includes(name)) },
  }));
  const totalSteps = plan.epochs * source.stepsPerEpoch;
  const validate =
    validation.length === 0
      ? undefined
      : async (weights: Parameters<typeof withWeights>[1]): Promise<Validation> => {
          const graph = onPixels(withWeights(network.graph, weights), network.logits, network.preprocessing);
          const logits = await outputsOf(engine, graph, crops, validation, { stage: `${stage}: validation`, signal });
          const { accuracy, nll } = evaluatePredictions({
            classes,
            logits: logits.data as Float32Array,
            labels: validation.map(({ label }) => label),
          });
          // Accuracy first; the likelihood decides between equals, of which a small set has many.
          return { score: accuracy - 1e-4 * Math.min(nll, 100), accuracy, loss: nll };
        };
  const result = await trainLoop({
    engine,
    phases,
    source,
    epochs: plan.epochs,
    schedule: schedule({
      name: options.schedule,
      totalSteps,
      ...(options.schedule !== 'one-cycle' && {
        warmupSteps: Math.min(totalSteps - 1, Math.round(plan.warmupEpochs * source.stepsPerEpoch)),
      }),
    }),
    rates,
    seed: options.seed,
    stage,
    checkpoints: request.checkpoints,
    record: workshop.record,
    ...(validate && { validate }),
    ...(validate && options.patience !== undefined && { patience: options.patience }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  return { network: { ...network, graph: withWeights(network.graph, result.weights) }, result };
}

/** n / (K n_k): every class weighs the same in the loss. */
function balancedWeights(samples: readonly LabelledSample[], classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (const { label } of samples) counts[label]!++;
  return counts.map((count) => (count === 0 ? 1 : samples.length / (classes * count)));
}
