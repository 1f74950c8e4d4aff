import { parsePolicy, type Policy } from '../../augment/policy.ts';
import type { OptimizerOptions } from '../../optim/optimizer.ts';
import { averageDecayOf, planConsistency, type ConsistencyPlan } from '../consistency/consistency-plan.ts';
import { consistencyMethodOf } from '../method.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

/** Everything about the training of one network that a person may leave open, decided. */
export interface TrainingPlan {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly headLr: number;
  readonly optimizer: OptimizerOptions;
  readonly warmupEpochs: number;
  readonly labelSmoothing: number;
  /** Decay of averaged weights; 0: none are kept. */
  readonly ema: number;
  /** Shares of the trained weights in the result, 0..1, of which the likeliest on held-out images is taken. */
  readonly blendShares: readonly number[];
  readonly batchNorm: 'frozen' | 'batch';
  /** How training images are varied; empty: not at all. */
  readonly augment: Policy;
  /** What is done with unlabelled images; `augment` is then the weak view. */
  readonly consistency?: ConsistencyPlan;
}

/** Images a network sees from scratch, if its labelled images are few: what a small network needs to converge. */
const SCRATCH_IMAGES = 10_000;
/** The same for a pretrained network. */
const FINETUNE_IMAGES = 2_000;
/** Shares of trained weights to choose from: 0 is the network that training started with. */
const BLEND_SHARES: readonly number[] = [0, 0.25, 0.5, 0.75, 1];
/** Of a rate from scratch. */
const FINETUNE_SHARE = 0.1;

/**
 * Decides what the options leave open, by the number of labelled images. Fine-tuning: a small learning rate for
 * the body and a five times larger one for the new head; frozen batch statistics where a batch is too small a sample.
 * @param count labelled training images
 * @param images unlabelled ones, where the method learns from them
 */
export function planTraining(
  options: ResolvedTrainOptions,
  method: 'finetune' | 'scratch',
  count: number,
  images = 0,
): TrainingPlan {
  const name = consistencyMethodOf(options);
  const plan = planSupervised(options, method, count);
  if (name === undefined) return plan;
  const batchSize = options.batchSize ?? Math.min(method === 'scratch' ? 32 : 8, count);
  const consistency = planConsistency(options, name, method, { batchSize, images });
  const { epochs, weak } = consistency;
  return {
    ...plan,
    epochs,
    batchSize,
    warmupEpochs: options.warmupEpochs ?? epochs / 20,
    labelSmoothing: options.labelSmoothing ?? 0,
    ema: options.ema ?? averageDecayOf(consistency),
    augment: weak,
    consistency,
  };
}

function planSupervised(options: ResolvedTrainOptions, method: 'finetune' | 'scratch', count: number): TrainingPlan {
  const scratch = method === 'scratch';
  const batchSize = options.batchSize ?? Math.min(scratch ? (count < 1000 ? 20 : 64) : 16, count);
  const name = options.optimizer ?? (scratch ? 'sgd' : 'adamw');
  const lr = options.lr ?? DEFAULT_RATE[name] * (scratch ? 1 : FINETUNE_SHARE);
  const epochs =
    options.epochs ??
    clamp(Math.round((scratch ? SCRATCH_IMAGES : FINETUNE_IMAGES) / count), scratch ? 30 : 8, scratch ? 100 : 40);
  const weightDecay = options.weightDecay ?? (name === 'sgd' ? 5e-4 : 0.01);
  return {
    epochs,
    batchSize,
    lr,
    headLr: options.headLr ?? (scratch ? lr : lr * 5),
    optimizer: optimizer(name, weightDecay, options),
    warmupEpochs: options.warmupEpochs ?? epochs / 10,
    // Losses for wrong labels spread their doubt themselves.
    labelSmoothing: options.labelSmoothing ?? (options.loss === 'ce' ? 0.1 : 0),
    blendShares: options.blend !== undefined ? [options.blend] : scratch ? [1] : BLEND_SHARES,
    ema: options.ema ?? 0.99,
    batchNorm:
      options.batchNorm === 'auto'
        ? scratch || (count >= 2000 && batchSize >= 32)
          ? 'batch'
          : 'frozen'
        : options.batchNorm,
    augment: parsePolicy(options.augment ?? defaultPolicy(options, method)),
  };
}

/** Random crops, and flips where the network was trained with them: from scratch, images may be digits. */
function defaultPolicy(options: ResolvedTrainOptions, method: 'finetune' | 'scratch'): string {
  const { flip } = options;
  const flips = flip === 'on' || (flip === 'auto' && method !== 'scratch');
  const crop = defaultCrop(options, method);
  return flips ? `${crop}|flip` : crop;
}

/** What a policy begins with where nothing else is said. */
export function defaultCrop({ cropScale }: ResolvedTrainOptions, method: 'finetune' | 'scratch'): string {
  const scratch = method === 'scratch';
  const least = cropScale ?? (scratch ? 0.4 : 0.5);
  if (least === 1) return 'evaluationcrop';
  return `randomresizedcrop(scale=${least}..1,ratio=${scratch ? '0.667..1.5' : '0.75..1.333'})`;
}

/** Peak rates that suit each rule from scratch. */
const DEFAULT_RATE = { sgd: 0.05, adam: 1e-3, adamw: 1e-3, lion: 1e-4, lamb: 5e-3 } as const;

function optimizer(
  name: keyof typeof DEFAULT_RATE,
  weightDecay: number,
  options: ResolvedTrainOptions,
): OptimizerOptions {
  const common = { weightDecay, ...(options.clipNorm !== undefined && { clipNorm: options.clipNorm }) };
  return name === 'sgd'
    ? { name, momentum: options.momentum, nesterov: options.momentum > 0, ...common }
    : { name, ...common };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
