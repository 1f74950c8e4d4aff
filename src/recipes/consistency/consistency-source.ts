import { ConsistencyBatches } from '../../batches/consistency-batches.ts';
import { TrainingBatches } from '../../batches/training-batches.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { IMAGE_NUMBERS, MIXED } from '../../train/consistency/options.ts';
import type { ConsistencyPlan } from './consistency-plan.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface ConsistencySourceRequest {
  readonly plan: ConsistencyPlan;
  /** Labelled images a step. */
  readonly batchSize: number;
  readonly labelled: readonly LabelledSample[];
  readonly unlabeled: readonly Sample[];
  readonly classes: readonly string[];
  readonly seed: number;
  readonly stage: string;
}

/** Labelled images varied weakly, and unlabelled ones weakly and strongly; labelled images are unlabelled ones, too. */
export function consistencySource(workshop: Workshop, request: ConsistencySourceRequest): ConsistencyBatches {
  const { pool, crops, record } = workshop;
  const { plan, batchSize, labelled, classes, seed, stage } = request;
  const hidden = [...request.unlabeled, ...labelled];
  const common = { classes, epochs: plan.epochs, seed };
  const { weakViews, mixing } = plan.parts;
  const view = (name: 'weak' | 'strong', number = 1): TrainingBatches =>
    new TrainingBatches(pool, crops, {
      ...common,
      // The target is read by nothing.
      items: hidden.map((sample) => ({ ...sample, target: 0 })),
      batchSize: batchSize * plan.ratio,
      policy: plan[name],
      stage: `${stage}/unlabeled`,
      drawing: `${name}-${number}`,
    });
  return new ConsistencyBatches({
    labelled: new TrainingBatches(pool, crops, {
      ...common,
      items: labelled.map((sample) => ({ ...sample, target: sample.label })),
      batchSize,
      policy: plan.weak,
      stage,
      onThreads: (choice) => record({ type: 'decoding-threads', stage, ...choice, of: pool.threads }),
    }),
    // Mixed images are made of the weak views.
    views: [
      ...Array.from({ length: weakViews }, (_, i) => view('weak', i + 1)),
      ...(mixing === undefined ? [view('strong')] : []),
    ],
    ...(mixing !== undefined && { mixing: { alpha: mixing, seed, stage, targets: MIXED } }),
    stepsPerEpoch: plan.stepsPerEpoch,
    ...(plan.parts.threshold.kind === 'curriculum' && {
      numbers: { target: IMAGE_NUMBERS, of: new Map(hidden.map(({ id }, i) => [id, i])) },
    }),
  });
}
