import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../core/atomic-file.ts';
import { timed } from '../../core/profile.ts';
import type { ImageSource } from '../../batches/evaluation-crops.ts';
import { TrainingBatches, type TrainingItem } from '../../batches/training-batches.ts';
import { varies } from '../../augment/policy.ts';
import { softLabel, type Sample } from '../../datasets/dataset.ts';
import { extract } from '../../onnx/compose.ts';
import { consistencySource } from '../consistency/consistency-source.ts';
import { ConsistencyWatch } from '../consistency/consistency-watch.ts';
import type { LabelledSample } from '../prepare-data.ts';
import { schedule } from '../../optim/schedules.ts';
import { memoryReport } from '../../runtime/memory.ts';
import type { BatchSource } from '../../train/batch-source.ts';
import { trainLoop, type LoopResult, type Phase, type Validation } from '../../train/loop.ts';
import { findLearningRate } from '../../train/lr-finder.ts';
import type { StepOptions } from '../../train/step-options.ts';
import { planPasses } from '../../train/memory-plan.ts';
import { compileStep } from '../../train/compile-step.ts';
import { viewsOf } from '../../train/step-loss.ts';
import { TrainingStep } from '../../train/training-step.ts';
import { withWeights } from '../../train/weights.ts';
import { evaluatePredictions } from '../../evaluate/evaluation.ts';
import { announceTime } from './announce-time.ts';
import { onFrozenActivations } from './frozen-activations.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { ImagesBySize } from './smaller-images.ts';
import { outputsOf } from '../results/outputs.ts';
import { taughtStudent } from '../distillation/taught-student.ts';
import { TaughtImages, teachingBytes, type Teaching } from '../distillation/teaching.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { TrainingPlan } from './training-plan.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { inPasses, trainingSteps } from './training-steps.ts';

export interface FitRequest {
  readonly network: Network;
  readonly plan: TrainingPlan;
  readonly options: ResolvedTrainOptions;
  readonly train: readonly LabelledSample[];
  /** A teacher to learn from beside labels. */
  readonly teaching?: Teaching | undefined;
  /** Images without a label, for a teacher's answers or where the plan learns from such. */
  readonly unlabeled?: readonly Sample[];
  /** Images whose labels a machine made, trained on beside these. */
  readonly machineLabelled?: readonly MachineLabelledSample[];
  /** Places of an epoch that the labelled images, and all others, take; default one each. */
  readonly draws?: { readonly labelled: number; readonly others: number };
  /** Chooses the best epoch and ends training early; absent: the last weights count. */
  readonly validation: readonly LabelledSample[];
  readonly classes: readonly string[];
  /** Part of every random key: `finetune`, `fold-1`. */
  readonly stage: string;
  /** What the size of passes is kept under; default the stage. */
  readonly passes?: string;
  /** Where checkpoints are kept and taken up again. */
  readonly checkpoints: string;
}

export type MachineLabelledSample = ImageSource & {
  /** [K] */
  readonly target: Float32Array;
  readonly weight: number;
};

/** Trains a network on labelled images, or by a teacher, and returns it with its new weights. */
export async function fit(workshop: Workshop, request: FitRequest): Promise<{ network: Network; result: LoopResult }> {
  const { plan, options, train, teaching, unlabeled = [], draws, validation, stage, classes } = request;
  const { engine, choices, crops, signal, onProgress, pace, track, writing } = workshop;
  await mkdir(request.checkpoints, { recursive: true });
  const network =
    teaching === undefined ? request.network : taughtStudent(request.network, teaching.loss, options.seed);
  const machines = request.machineLabelled ?? [];
  const further = {
    unlabeled: teaching === undefined ? 0 : unlabeled.length,
    loss: teaching?.loss,
    machineLabelled: machines.length,
  };
  const asked = trainingSteps(network, plan, options, train, classes.length, choices.target, further);
  const { batchSize, rates } = asked;
  const microBatch = await choices.microBatch(request.passes ?? stage, () => {
    const taken = teaching === undefined ? 0 : teachingBytes(teaching, network.preprocessing);
    const availableBytes = Math.max(0, memoryReport().availableBytes - taken);
    // The last phase trains the most.
    const passes = planPasses(asked.phases.at(-1)!.step, { availableBytes });
    if (passes.note !== undefined) {
      onProgress?.({ type: 'warning', message: passes.note });
      workshop.record({ type: 'smaller-passes', stage, ...passes });
    }
    return passes.microBatch;
  });
  const isSoft = train.some(({ chances }) => chances !== undefined);
  const labelled = train.map((sample): TrainingItem => ({
    ...sample,
    target: isSoft ? distribution(sample, classes) : sample.label,
  }));
  const items =
    teaching === undefined
      ? [...labelled, ...machines]
      : [...train, ...unlabeled].map((sample): TrainingItem => ({
          ...sample,
          target: distribution(sample, classes),
        }));
  const parts = draws && [
    { count: train.length, draws: draws.labelled },
    { count: items.length - train.length, draws: draws.others },
  ];
  const isAugmented = varies(plan.augment) || machines.length > 0;
  const inPassesOf = inPasses(asked, microBatch).phases;
  const { consistency } = plan;
  const batchesOf = (images: Pick<Workshop, 'pool' | 'crops'>): BatchSource =>
    consistency === undefined
      ? new TrainingBatches(images.pool, images.crops, {
          items,
          parts,
          batchSize,
          policy: plan.augment,
          views: viewsOf(options),
          classes,
          epochs: plan.epochs,
          seed: options.seed,
          stage,
          onThreads: (choice) =>
            workshop.record({ type: 'decoding-threads', stage, ...choice, of: images.pool.threads }),
        })
      : consistencySource(
          { ...workshop, ...images },
          { plan: consistency, batchSize, labelled: train, unlabeled, classes, seed: options.seed, stage },
        );
  const maxPixels = options.maxPixels * 1e6;
  await using images = new ImagesBySize(workshop, maxPixels);
  await using taught =
    teaching && (await TaughtImages.open(workshop, images, teaching, [...train, ...unlabeled], maxPixels));
  const sourceOf = async (step: Pick<StepOptions, 'images'>): Promise<BatchSource> =>
    taught === undefined ? batchesOf(await images.of(step)) : taught.source(step, batchesOf);
  const complete = (source: BatchSource): BatchSource => taught?.completed(source) ?? source;
  const source = await sourceOf(inPassesOf.at(-1)!.step);
  const sized =
    options.trainSize === undefined
      ? inPassesOf
      : inPassesOf.map((phase) => ({ ...phase, openSource: () => sourceOf(phase.step) }));
  const phases =
    isAugmented || consistency !== undefined
      ? sized
      : onFrozenActivations(workshop, images, sized, { items, batchSize, seed: options.seed, stage }).map(
          ({ openSource, ...phase }): Phase => ({
            ...phase,
            ...(openSource && { openSource: async () => complete(await openSource()) }),
          }),
        );
  const peaks = options.findLr ? await foundRates(workshop, request, phases[0]!, source, rates) : rates;
  const totalSteps = plan.epochs * source.stepsPerEpoch;
  const validate =
    validation.length === 0
      ? undefined
      : async (weights: Parameters<typeof withWeights>[1]): Promise<Validation> => {
          const graph = onPixels(withWeights(network.graph, weights), network.logits, network.preprocessing);
          const logits = await outputsOf(engine, graph, crops, validation, {
            stage: `${stage}: validation`,
            signal,
            track,
          });
          const { accuracy, nll } = evaluatePredictions({
            classes,
            logits: logits.data as Float32Array,
            labels: validation.map(({ label }) => label),
          });
          // Accuracy first; the likelihood decides between equals, of which a small set has many.
          return { score: accuracy - 1e-4 * Math.min(nll, 100), accuracy, loss: nll };
        };
  const work = { phases, source, epochs: plan.epochs, stage, checkpoints: request.checkpoints };
  const isLong = consistency !== undefined || teaching !== undefined;
  const opened = isLong ? await announceTime(workshop, work, totalSteps) : undefined;
  const watch =
    consistency &&
    new ConsistencyWatch(workshop, { stage, steps: totalSteps, labels: train.map(({ label }) => label) });
  const result = await trainLoop({
    ...work,
    engine,
    opened,
    schedule: schedule({
      name: options.schedule,
      totalSteps,
      ...(options.schedule !== 'one-cycle' && {
        warmupSteps: Math.min(totalSteps - 1, Math.round(plan.warmupEpochs * source.stepsPerEpoch)),
      }),
    }),
    rates: peaks,
    seed: options.seed,
    record: workshop.record,
    ...(validate && { validate }),
    ...(validate && options.patience !== undefined && { patience: options.patience }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    ...(pace &&
      phases.length === 1 && {
        pace: (so) => pace({ ...so, stage, planned: plan.epochs, images: source.stepsPerEpoch * batchSize }),
      }),
    ...(watch && { onStep: (step, taken) => watch.take(step, taken) }),
    track,
    writing,
  });
  const trained = withWeights(network.graph, result.weights);
  if (teaching === undefined) return { network: { ...network, graph: trained }, result };
  const own = request.network.graph.outputs.map(({ name }) => name);
  return { network: { ...request.network, graph: extract(trained, own) }, result };
}

/** [K] what annotators say together, else the one label; all 0 without a label. */
function distribution(sample: Sample, classes: readonly string[]): Float32Array {
  return softLabel(sample, classes) ?? Float32Array.from(classes, (_, k) => (k === sample.label ? 1 : 0));
}

/** Rates of the groups in the same proportions, at the height that a range test proposes; kept for a resumed run. */
async function foundRates(
  { engine, record, onProgress, signal, track }: Workshop,
  { checkpoints, stage }: FitRequest,
  phase: Phase,
  images: BatchSource,
  rates: Readonly<Record<string, number>>,
): Promise<Readonly<Record<string, number>>> {
  const file = join(checkpoints, 'rates.json');
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
  const highest = Math.max(...Object.values(rates));
  const shares = Object.fromEntries(Object.entries(rates).map(([group, rate]) => [group, rate / highest]));
  const source = (await phase.openSource?.()) ?? images;
  const step = await TrainingStep.open(engine, compileStep(phase.step));
  try {
    const { rate, curve } = await timed(track, 'find the learning rate', () =>
      findLearningRate(step, source, { shares, ...(signal && { signal }) }),
    );
    const found = Object.fromEntries(Object.entries(shares).map(([group, share]) => [group, share * rate]));
    await writeFileAtomic(file, JSON.stringify(found));
    record({ type: 'learning-rate-found', stage, rate, curve });
    onProgress?.({ type: 'note', message: `Learning rate found by a range test: ${rate.toPrecision(2)} at the head.` });
    return found;
  } finally {
    await step.release();
  }
}
