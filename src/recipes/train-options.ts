import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { mixes, parsePolicy, uses } from '../augment/policy.ts';
import { InputError } from '../core/errors.ts';
import { LABEL_LOSS_NAMES } from './training/label-loss-names.ts';
import { parseOptions } from './parse-options.ts';
import { CONSISTENCY_METHOD_NAMES, CONSISTENCY_METHODS } from '../train/consistency/methods.ts';

const PLAIN_METHODS = ['probe', 'finetune', 'scratch'] as const;
/** Options that methods of consistency training alone have. */
const CONSISTENCY_OPTIONS = [
  'mu',
  'steps',
  'threshold',
  'unsupervisedWeight',
  'labeller',
  'align',
  'debias',
  'annealing',
  'weak',
  'strong',
] as const;

/** Options that belong to the training of one method: whoever gives one has chosen a method, and no plan. */
export const TRAINING_OPTIONS = [
  'epochs',
  'batchSize',
  'lr',
  'headLr',
  'optimizer',
  'weightDecay',
  'momentum',
  'schedule',
  'warmupEpochs',
  'labelSmoothing',
  'classWeights',
  'clipNorm',
  'accumulate',
  'recompute',
  'ema',
  'blend',
  'batchNorm',
  'layerDecay',
  'trainSize',
  'finalEpochs',
  'unfreezeEpochs',
  'train',
  'freeze',
  'dropout',
  'stochasticDepth',
  'patience',
  'augment',
  'consistency',
  'cropScale',
  'findLr',
  'folds',
  ...CONSISTENCY_OPTIONS,
] as const;

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/**
 * Every option of `train`, one checked structure for the library, the command line and `--config`
 * files. Absent optional values are decided by the recipe, told as a note and written to `config.json`.
 */
export const trainOptionsSchema = z.strictObject({
  /** Folder or manifest. */
  data: z.string().min(1),
  /** File, URL or `hf:owner/repo[/file]` of a pretrained network. */
  backbone: z.string().optional(),
  /** A built-in network to train from scratch. */
  model: z.string().optional(),
  /** `finetune` with a backbone, `scratch` without. */
  method: z.enum([...PLAIN_METHODS, ...CONSISTENCY_METHOD_NAMES]).optional(),
  out: z.string().optional(),
  seed: z.int().min(0).default(0),

  // Data
  dataLayout: z.enum(['auto', 'classes', 'splits']).default('auto'),
  labelsList: z.string().optional(),
  labelsPerClass: z.int().min(1).optional(),
  /** Files with labels of images that have none: CSV or JSON lines with the columns `path` and `label`. */
  labelFiles: z.array(z.string()).default([]),
  /** What is never split: a column of the manifest, else a regular expression on the path whose first group names it. */
  group: z.string().min(1).optional(),
  /** Share of the labelled training images held out for validation (early stopping, best checkpoint). */
  val: z.number().min(0).max(0.5).optional(),
  /** Lets a ready-made `val` part serve as validation even where labels are limited. */
  useVal: z.boolean().default(false),
  dropLeaks: z.boolean().default(false),
  followLinks: z.boolean().default(false),
  /** Megapixels of an image, at most. */
  maxPixels: z.number().positive().default(100),

  // Preprocessing of a backbone that doesn't declare it, or of a built-in network
  inputSize: z.int().min(8).max(2048).optional(),
  mean: perChannel.optional(),
  std: perChannel.optional(),
  channels: z.enum(['rgb', 'bgr']).optional(),
  interpolation: z.enum(['nearest', 'bilinear', 'bicubic']).optional(),
  cropFraction: z.number().positive().max(1).optional(),
  layout: z.enum(['nchw', 'nhwc']).optional(),
  embedding: z.string().optional(),
  logits: z.string().optional(),
  /** Joins histograms of the image's gradients to the features of a backbone. */
  gradients: z.boolean().default(false),

  // Training
  epochs: z.int().min(1).optional(),
  batchSize: z.int().min(1).optional(),
  /** Learning rate of the body (all there is, from scratch). */
  lr: z.number().positive().optional(),
  headLr: z.number().positive().optional(),
  optimizer: z.enum(['sgd', 'adam', 'adamw', 'lion', 'lamb']).optional(),
  weightDecay: z.number().min(0).optional(),
  momentum: z.number().min(0).max(0.9999).default(0.9),
  schedule: z.enum(['cosine', 'one-cycle', 'step', 'linear', 'constant']).default('cosine'),
  warmupEpochs: z.number().min(0).optional(),
  /** What is minimised: cross-entropy, or a loss that wrong labels harm less (docs/label-quality.md). */
  loss: z.enum(LABEL_LOSS_NAMES).default('ce'),
  labelSmoothing: z.number().min(0).max(0.99).optional(),
  classWeights: z.enum(['none', 'balanced']).default('none'),
  clipNorm: z.number().positive().optional(),
  /** Micro-batches whose gradients are summed before a step. */
  accumulate: z.int().min(1).default(1),
  /** Keep only the end of every k-th block for backward and compute the rest again: less memory, more time. */
  recompute: z.int().min(1).optional(),
  /** Decay of the averaged weights; 0 turns them off. */
  ema: z.number().min(0).max(0.99999).optional(),
  /** Share of the trained weights in a blend with those it started from. Default: on a backbone, the likeliest on held-out images; else 1. */
  blend: z.number().min(0).max(1).optional(),
  batchNorm: z.enum(['auto', 'frozen', 'batch']).default('auto'),
  /** Factor on the learning rate for each step of depth away from the head. */
  layerDecay: z.number().positive().max(1).default(1),
  /** Side of the training images at first, in pixels: smaller than the network's own, which the last epochs are trained at. */
  trainSize: z.int().min(8).max(2048).optional(),
  /** Epochs at the network's own side, the last ones. Default: a fifth. */
  finalEpochs: z.int().min(1).optional(),
  /** Epochs over which layers are unfrozen, from the head down; 0 unfreezes all at once. */
  unfreezeEpochs: z.int().min(0).default(0),
  train: z.array(z.string()).default([]),
  freeze: z.array(z.string()).default([]),
  /** Before the head. Default 0.2 from scratch, 0 on a backbone. */
  dropout: z.number().min(0).lt(1).optional(),
  /** Rate at which the last residual branch is skipped in training, rising linearly from the first. */
  stochasticDepth: z.number().min(0).lt(1).default(0),
  /** Epochs without a better validation score before the run stops. */
  patience: z.int().min(1).optional(),
  /** How training images are varied: a policy (docs/augmentation.md), in place of `flip` and `cropScale`. */
  augment: z.string().optional(),
  /** What the agreement of three views of an image counts for, with and without the `augmix` in `augment` (docs/training.md). */
  consistency: z.number().positive().optional(),
  flip: z.enum(['auto', 'on', 'off']).default('auto'),
  /** Smallest area of a random crop as a share of the image; 1 turns random crops off. */
  cropScale: z.number().positive().max(1).optional(),
  findLr: z.boolean().default(false),

  // Methods that learn from unlabelled images
  /** Unlabelled images to each labelled one in a step. */
  mu: z.int().min(1).max(64).optional(),
  /** Steps of training, in place of `epochs`. */
  steps: z.int().min(1).optional(),
  /** Confidence from which a label counts. */
  threshold: z.number().min(0).max(1).optional(),
  /** What the loss of unlabelled images counts for beside that of labelled ones. */
  unsupervisedWeight: z.number().positive().optional(),
  /** Who labels: the network in training, or the moving average of its weights. */
  labeller: z.enum(['student', 'average']).optional(),
  /** Towards which shares of the classes labels are corrected. */
  align: z.enum(['none', 'uniform', 'labelled']).optional(),
  /** Logits that label lose so much of the logarithm of the mean prediction. */
  debias: z.number().positive().max(10).optional(),
  /** How long labelled images count that the network is sure of already. */
  annealing: z.enum(['none', 'logarithmic', 'linear', 'exponential']).optional(),
  /** Policies of the view that is labelled, and of the one that is trained on. */
  weak: z.string().optional(),
  strong: z.string().optional(),

  // Model out
  abstainPrecision: z.number().gt(0).max(1).default(0.95),
  /** Folds for choices, calibration and the abstain threshold; 0 does without all three. */
  folds: z
    .int()
    .min(0)
    .max(20)
    .refine((count) => count !== 1, { error: 'expected 0, or 2 and more' })
    .optional(),
  variants: z.array(z.enum(['bare', 'float16', 'int8'])).default([]),

  // The machine
  device: z.string().default('auto'),
  threads: z.int().min(1).optional(),
  /** An `engine.json` whose choices are used again. */
  engine: z.string().optional(),
  /** Measures the lowerings of shapes not met before, before training starts. */
  tune: z.boolean().default(false),
  /** Measures where time goes: a trace in the run's folder, and sums as progress of type `profile`. */
  profile: z.boolean().default(false),
});

/** Options as a caller writes them. */
export type TrainOptions = z.input<typeof trainOptionsSchema>;
/** Options with defaults filled in. */
export type ResolvedTrainOptions = z.output<typeof trainOptionsSchema>;

/**
 * @param more names of options that are known beside these, for "did you mean"
 * @throws InputError naming every unknown or bad option at once, with "did you mean".
 */
export function resolveTrainOptions(
  options: unknown,
  where = 'options of train',
  more: readonly string[] = [],
): ResolvedTrainOptions {
  const parsed = parseOptions(trainOptionsSchema, options, where, more);
  checkAugmentation(parsed);
  checkConsistency(parsed);
  checkPhases(parsed);
  checkLoss(parsed);
  return parsed;
}

/** @throws InputError for a policy that can't be read, without what `consistency` needs, or where crops and flips are told twice */
function checkAugmentation({ augment, consistency, method, flip, cropScale }: ResolvedTrainOptions): void {
  const policy = augment === undefined ? undefined : parsePolicy(augment);
  if (consistency !== undefined) {
    if (method === 'probe')
      throw new InputError(
        '"consistency" has no effect with method "probe": it trains on features computed once an image.',
      );
    if (policy === undefined || !uses(policy, 'augmix'))
      throw new InputError(
        '"consistency" compares images with and without augmix, which "augment" must have: for instance "randomresizedcrop|flip|augmix".',
      );
    if (mixes(policy))
      throw new InputError(
        '"consistency" compares views of one image, and the policy of "augment" mixes several: choose one of the two.',
      );
  }
  if (augment === undefined) return;
  if (method === 'probe')
    throw new InputError('"augment" has no effect with method "probe": it trains on features computed once an image.');
  if (flip !== 'auto' || cropScale !== undefined)
    throw new InputError(
      'The policy of "augment" says all about crops and flips: leave "flip" and "cropScale" out, or write them into it.',
    );
}

/** @throws InputError for options of methods that learn from unlabelled images with another, and for others with them */
function checkConsistency(options: ResolvedTrainOptions): void {
  const { method } = options;
  if (method === undefined || !Object.hasOwn(CONSISTENCY_METHODS, method)) {
    const given = CONSISTENCY_OPTIONS.find((name) => options[name] !== undefined);
    if (given !== undefined)
      throw new InputError(
        `"${given}" goes with a method that learns from unlabelled images (${CONSISTENCY_METHOD_NAMES.join(', ')}), got ${method === undefined ? 'no method' : `"${method}"`}.`,
      );
    return;
  }
  const unfit = {
    augment: options.augment !== undefined && '"weak" and "strong" say how images are varied',
    consistency: options.consistency !== undefined && 'it compares views in a way of its own',
    cropScale: options.cropScale !== undefined && '"weak" and "strong" say how images are cropped',
    classWeights: options.classWeights !== 'none' && 'it would weigh labelled images only',
    findLr: options.findLr && 'the range test knows labelled images only',
    epochs: options.epochs !== undefined && options.steps !== undefined && '"steps" says how long training takes',
    flip:
      options.flip !== 'auto' &&
      options.weak !== undefined &&
      options.strong !== undefined &&
      '"weak" and "strong" say it',
  };
  for (const [name, reason] of Object.entries(unfit))
    if (reason !== false) throw new InputError(`"${name}" has no place with method "${method}": ${reason}.`);
  for (const policy of [options.weak, options.strong])
    if (policy !== undefined && mixes(parsePolicy(policy)))
      throw new InputError(
        `The policy "${policy}" mixes images, and a label is predicted on one: leave mixing out of "weak" and "strong".`,
      );
}

/** @throws InputError for noise and sizes of training that would have no effect, or no end */
export function checkPhases({
  method,
  stochasticDepth = 0,
  trainSize,
  finalEpochs,
  patience,
}: Partial<Pick<ResolvedTrainOptions, 'method' | 'stochasticDepth' | 'trainSize' | 'finalEpochs' | 'patience'>>): void {
  if (method === 'probe' && (stochasticDepth > 0 || trainSize !== undefined))
    throw new InputError(
      `"${stochasticDepth > 0 ? 'stochasticDepth' : 'trainSize'}" has no effect with method "probe": it trains on features computed once an image.`,
    );
  if (finalEpochs !== undefined && trainSize === undefined)
    throw new InputError('"finalEpochs" are those after training at "trainSize", which is missing.');
  if (patience !== undefined && trainSize !== undefined)
    throw new InputError(
      '"patience" could end training before it reaches the full side: leave out "patience" or "trainSize".',
    );
}

/** @throws InputError for a loss of labels where none is minimised, or another one is */
function checkLoss({ loss, method, consistency }: ResolvedTrainOptions): void {
  if (loss === 'ce') return;
  if (method === 'probe')
    throw new InputError(`The loss "${loss}" has no effect with method "probe": its head is fitted by cross-entropy.`);
  if (method !== undefined && Object.hasOwn(CONSISTENCY_METHODS, method))
    throw new InputError(`The loss "${loss}" has no place with method "${method}", which has a loss of its own.`);
  if (consistency !== undefined)
    throw new InputError(`"consistency" is measured beside cross-entropy; leave out "loss", got "${loss}".`);
}

/** A run may be continued from another folder. */
export function withAbsolutePaths<
  O extends Pick<ResolvedTrainOptions, 'data' | 'backbone'> &
    Partial<Pick<ResolvedTrainOptions, 'labelsList' | 'labelFiles'>>,
>(options: O): O {
  const { data, backbone, labelsList, labelFiles } = options;
  return {
    ...options,
    data: resolve(data),
    ...(labelsList !== undefined && { labelsList: resolve(labelsList) }),
    ...(labelFiles !== undefined && { labelFiles: labelFiles.map((file) => resolve(file)) }),
    ...(backbone !== undefined && existsSync(backbone) && { backbone: resolve(backbone) }),
  };
}
