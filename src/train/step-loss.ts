import { float32 } from '../core/tensor.ts';
import { binaryCrossEntropy } from '../losses/binary-cross-entropy.ts';
import { bootstrapping } from '../losses/bootstrapping.ts';
import { crossEntropy } from '../losses/cross-entropy.ts';
import { generalizedCrossEntropy } from '../losses/generalized-cross-entropy.ts';
import { jensenShannon } from '../losses/jensen-shannon.ts';
import type { LabelLossOptions } from '../losses/label-loss.ts';
import { symmetricCrossEntropy } from '../losses/symmetric-cross-entropy.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { consistencyObjective } from './consistency/objective.ts';
import type { ConsistencyOptions } from './consistency/options.ts';
import { distillationObjective, type DistillationLoss } from './distillation-objective.ts';
import { imitation, type ImitationLoss } from './imitation.ts';
import { lossDivisor } from './loss-divisor.ts';
import type { Objective } from './objective.ts';
import { simSiam, type SimSiamLoss } from './simsiam.ts';

/** What a step minimises, as plain data. */
export type StepLoss = LossOptions | DistillationLoss | ConsistencyOptions | SimSiamLoss | ImitationLoss;

const LOSSES = {
  'cross-entropy': crossEntropy,
  'binary-cross-entropy': binaryCrossEntropy,
  'symmetric-cross-entropy': symmetricCrossEntropy,
  'generalized-cross-entropy': generalizedCrossEntropy,
  'soft-bootstrapping': bootstrapping,
  'hard-bootstrapping': (b, logits, labels, options) => bootstrapping(b, logits, labels, { ...options, kind: 'hard' }),
} as const satisfies Readonly<
  Record<string, (b: GraphBuilder, logits: string, labels: string, options: LabelLossOptions) => string>
>;

/** Learning from labels, as plain data. */
export interface LossOptions {
  readonly name: keyof typeof LOSSES;
  /** Label smoothing, 0..1; default 0. */
  readonly smoothing?: number;
  /** What each class counts for. */
  readonly classWeights?: readonly number[];
  /**
   * With cross-entropy: what the Jensen-Shannon divergence between an image's views counts for beside the loss of the
   * first, over 0. A batch then has `viewsOf` rows of images a sample, one after the other. Default: one view, no such loss.
   */
  readonly consistency?: number;
}

/** Of an image whose consistency counts: as it is, and two drawings (Hendrycks et al. 2020, arXiv:1912.02781, section 3). */
const VIEWS = 3;

/** Rows of images that a batch has for each sample. */
export function viewsOf({ consistency }: { readonly consistency?: number | undefined }): number {
  return consistency === undefined ? 1 : VIEWS;
}

/** The labels of a batch: class indices, int64 [N], or distributions over classes, float32 [N, K]. */
export type LabelKind = 'indices' | 'distributions';

/** What a step of these options minimises. */
export function objectiveOf(options: StepLoss): Objective {
  if (options.name === 'consistency') return consistencyObjective(options);
  if (options.name === 'simsiam') return simSiam(options);
  if (options.name === 'imitation') return imitation(options);
  if (options.name === 'distillation') return distillationObjective(options);
  return {
    rows: viewsOf(options),
    outputs: [],
    targets: new Map(),
    state: new Map(),
    divisor: (labels, classes, sampleWeights) => lossDivisor(options, labels, classes, sampleWeights),
    add: (b, values) => ({ loss: addStepLoss(b, options, values) }),
  };
}

/**
 * Adds the loss of a micro-batch: the sum over its samples times the scalar `scale`, so that the sum over
 * the micro-batches of a step is the mean over its samples, whatever their weights.
 * @param values `logits` [N, K], with consistency [N V, K]; what there is of labels and weights, of N samples
 * @throws RangeError for consistency that is not over 0, or of another loss than cross-entropy
 */
export function addStepLoss(
  b: GraphBuilder,
  options: LossOptions,
  values: { readonly logits: string; readonly labels: string; readonly sampleWeights?: string; readonly scale: string },
): string {
  const { logits, labels, sampleWeights, scale } = values;
  const views = options.consistency === undefined ? undefined : logitsOfViews(b, options, logits);
  const first = views === undefined ? logits : b.op('Gather', [views, b.int(0)], { axis: 1 });
  let sum = LOSSES[options.name](b, first, labels, {
    reduction: 'sum',
    ...(options.smoothing !== undefined && { smoothing: options.smoothing }),
    ...(options.classWeights !== undefined && { classWeights: options.classWeights }),
    ...(sampleWeights !== undefined && { sampleWeights }),
  });
  if (views !== undefined) {
    const counts = countsOfSamples(b, options, labels, sampleWeights);
    const divergence = jensenShannon(b, views, {
      reduction: 'sum',
      ...(counts !== undefined && { sampleWeights: counts }),
    });
    sum = b.op('Add', [sum, b.op('Mul', [divergence, b.float(options.consistency!)])]);
  }
  return b.op('Mul', [sum, scale], {}, { name: 'loss' });
}

/** [N, V, K] of [N V, K]. */
function logitsOfViews(b: GraphBuilder, options: LossOptions, logits: string): string {
  const { name, consistency } = options;
  if (name !== 'cross-entropy')
    throw new RangeError(`Consistency of views goes with the loss "cross-entropy", got "${name}".`);
  if (!(consistency! > 0 && Number.isFinite(consistency)))
    throw new RangeError(`The weight of consistency must be finite and over 0, got ${consistency}.`);
  const [rows, classes] = b.shape(logits) as [number, number];
  return b.op('Reshape', [logits, b.int([rows / VIEWS, VIEWS, classes])]);
}

/** [N]: what a sample counts for in both losses, as in their divisor (`lossDivisor`). */
function countsOfSamples(
  b: GraphBuilder,
  { classWeights }: LossOptions,
  labels: string,
  sampleWeights: string | undefined,
): string | undefined {
  if (classWeights === undefined || b.type(labels).dtype !== 'int64') return sampleWeights;
  const ofClasses = b.op('Gather', [b.constant(float32(classWeights)), labels]);
  return sampleWeights === undefined ? ofClasses : b.op('Mul', [ofClasses, sampleWeights]);
}
