import { parsePolicy, type Policy } from '../../augment/policy.ts';
import { InputError } from '../../core/errors.ts';
import { CONSISTENCY_METHODS, type ConsistencyMethod } from '../../train/consistency/methods.ts';
import type { ConsistencyOptions, ConsistencyParts } from '../../train/consistency/options.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';

/** What a training with unlabelled images is, beside what every training is. */
export interface ConsistencyPlan {
  readonly parts: ConsistencyParts;
  /** Unlabelled images to each labelled one. */
  readonly ratio: number;
  readonly weak: Policy;
  readonly strong: Policy;
  /** Images without a label, and those whose label is hidden. */
  readonly images: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
}

/** Steps that suit a small network from scratch, and a pretrained one. */
const STEPS = { scratch: 1000, finetune: 400 } as const;
/** A pretrained network has seen many images before, and its steps take long. */
const RATIO = { scratch: 7, finetune: 3 } as const;
/** Half-life of every moving average, as a share of the training. */
export const HALF_LIFE = 0.02;

/** Decides what the options leave open. An epoch is a pass over the unlabelled images, or less where steps are told. */
export function planConsistency(
  options: ResolvedTrainOptions,
  name: ConsistencyMethod,
  method: 'finetune' | 'scratch',
  counts: { readonly batchSize: number; readonly images: number },
): ConsistencyPlan {
  const ratio = options.mu ?? RATIO[method];
  const pass = Math.max(1, Math.ceil(counts.images / (counts.batchSize * ratio)));
  const steps = options.steps ?? (options.epochs === undefined ? STEPS[method] : options.epochs * pass);
  const epochs = options.epochs ?? Math.ceil(steps / pass);
  const flips = options.flip === 'on' || (options.flip === 'auto' && method === 'finetune');
  const crop = method === 'scratch' ? SCRATCH_CROP : 'randomresizedcrop(scale=0.5..1)';
  const weak = options.weak ?? (flips ? `${crop}|flip` : crop);
  return {
    parts: partsOf(options, name),
    ratio,
    weak: parsePolicy(weak),
    strong: parsePolicy(options.strong ?? `${weak}|randaugment(2,10)|cutout`),
    images: counts.images,
    epochs,
    stepsPerEpoch: Math.ceil(steps / epochs),
  };
}

/** Shifts: what is small or must not be cut keeps its size. */
const SCRATCH_CROP = 'randomcrop(padding=2)';

/** The method's parts, less those that the options replace. */
export function partsOf(options: ResolvedTrainOptions, name: ConsistencyMethod): ConsistencyParts {
  const parts: ConsistencyParts = CONSISTENCY_METHODS[name];
  const { threshold, unsupervisedWeight, labeller, debias, annealing } = options;
  if (threshold !== undefined && !('value' in parts.threshold))
    throw new InputError(`--threshold has no effect with --method ${name}, which finds its own.`);
  if (parts.mixing !== undefined && (options.strong !== undefined || options.accumulate > 1))
    throw new InputError(
      `--method ${name} mixes the weak views of a whole step: ${options.strong === undefined ? '--accumulate' : '--strong'} has no place with it.`,
    );
  return {
    ...parts,
    ...(threshold !== undefined && { threshold: { ...parts.threshold, value: threshold } as typeof parts.threshold }),
    ...(unsupervisedWeight !== undefined && { weight: unsupervisedWeight }),
    ...(labeller !== undefined && { labeller }),
    ...(debias !== undefined && { debias }),
    ...(annealing !== undefined && { annealing }),
    ...(options.align !== undefined && {
      alignment: options.align === 'none' ? undefined : { to: options.align, of: parts.alignment?.of ?? 'labels' },
    }),
  };
}

/** The loss of a plan's steps. */
export function consistencyLoss(
  plan: ConsistencyPlan,
  {
    batchSize,
    classes,
    smoothing,
  }: { readonly batchSize: number; readonly classes: number; readonly smoothing: number },
): ConsistencyOptions {
  const samples = plan.epochs * plan.stepsPerEpoch * batchSize;
  return {
    name: 'consistency',
    ...plan.parts,
    classes,
    ratio: plan.ratio,
    strongViews: trainedViews(plan.parts),
    images: plan.images,
    samples,
    halfLife: HALF_LIFE * samples,
    smoothing,
  };
}

/** Views of an unlabelled image in a step. */
export function viewsOfImage({ parts }: ConsistencyPlan): number {
  return parts.weakViews + trainedViews(parts);
}

function trainedViews({ mixing, weakViews }: ConsistencyParts): number {
  return mixing === undefined ? 1 : weakViews;
}

/** Decay of averaged weights, a step. */
export function averageDecayOf({ epochs, stepsPerEpoch }: ConsistencyPlan): number {
  return 2 ** (-1 / (HALF_LIFE * epochs * stepsPerEpoch));
}
