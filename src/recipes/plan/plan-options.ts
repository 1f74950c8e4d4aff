import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { defaultInputSize } from '../../models/registry.ts';
import { parseOptions } from '../parse-options.ts';
import {
  resolveTrainOptions,
  TRAINING_OPTIONS,
  withAbsolutePaths,
  type ResolvedTrainOptions,
  type TrainOptions,
} from '../train-options.ts';
import { DURATION, FILE_SIZE, LATENCY, parseQuantity } from './quantity.ts';

const quantity = z.union([z.string(), z.number()]);

const ownSchema = z.strictObject({
  method: z.literal('plan').optional(),
  /** Pretrained networks to choose from: files, URLs or `hf:owner/repo`, a list or with commas. Default: those in the cache. */
  backbone: z.union([z.string(), z.array(z.string())]).optional(),
  /** Time for all of it, as `10m`; a number is seconds. */
  budget: quantity.default('10m'),
  /** Of the model's file, as `5MB`; a number is bytes. */
  maxSize: quantity.optional(),
  /** Of one image on this machine, as `20ms`; a number is milliseconds. */
  maxLatency: quantity.optional(),
});

type OwnOptions = z.input<typeof ownSchema>;

/** What a plan can be told: no option that belongs to the training of one method. */
export type PlanOptions = OwnOptions & Omit<TrainOptions, 'method' | 'backbone' | (typeof TRAINING_OPTIONS)[number]>;

export interface ResolvedPlanOptions {
  /** Of every stage; without a backbone. */
  readonly train: ResolvedTrainOptions;
  /** As they were named; empty: those in the cache. */
  readonly backbones: readonly string[];
  /** Whether `train.gradients` was told; else the labels choose. */
  readonly asksForGradients: boolean;
  /** Seconds. */
  readonly budget: number;
  readonly maxBytes?: number;
  readonly maxMilliseconds?: number;
}

/** Options that only a plan has. */
const ONLY_PLAN = ['budget', 'maxSize', 'maxLatency'] as const;

/** Of `train`: whether it is the plan that is asked for, by name, by its options, or by naming nothing else. */
export function isPlan(options: TrainOptions | PlanOptions): options is PlanOptions {
  if (options.method !== undefined) return options.method === 'plan';
  return (
    ONLY_PLAN.some((name) => (options as PlanOptions)[name] !== undefined) || trainingOptionIn(options) === undefined
  );
}

/**
 * Options of one method's training, whose backbone may stand in a list.
 * @throws InputError for several, and for what only a plan has
 */
export function ofOneMethod(options: TrainOptions | PlanOptions): unknown {
  const { backbone, method = 'finetune' } = options;
  const unfit = ONLY_PLAN.find((name) => (options as PlanOptions)[name] !== undefined);
  if (unfit !== undefined)
    throw new InputError(
      `"${unfit}" is of the plan, and has no place with method "${method}": leave one of the two out.`,
    );
  if (!Array.isArray(backbone)) return options;
  if (backbone.length > 1)
    throw new InputError(
      `One network is trained by --method ${method}, got ${backbone.length} backbones: the plan chooses among several (leave out the method and the options of its training).`,
    );
  return { ...options, backbone: backbone[0] };
}

/** An option among these that belongs to the training of one method. */
export function trainingOptionIn(options: object): string | undefined {
  return TRAINING_OPTIONS.find((name) => (options as Record<string, unknown>)[name] !== undefined);
}

/** @throws InputError for an option that is unknown, out of range, or belongs to one method's training */
export function resolvePlanOptions(options: PlanOptions, where = 'options of the plan'): ResolvedPlanOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isOwn = (name: string): boolean => Object.hasOwn(ownSchema.shape, name);
  const unfit = trainingOptionIn(options);
  if (unfit !== undefined)
    throw new InputError(
      `"${unfit}" belongs to the training of one method, which a plan settles by itself: leave it out, or name the method (--method finetune, scratch, ...) and leave out the budget.`,
    );
  const own = parseOptions(ownSchema, Object.fromEntries(given.filter(([name]) => isOwn(name))), where);
  const rest = Object.fromEntries(given.filter(([name]) => !isOwn(name)));
  const train = resolveTrainOptions(rest, where, Object.keys(ownSchema.shape));
  const backbones = [own.backbone ?? []].flat().flatMap((entry) => (existsSync(entry) ? [entry] : entry.split(',')));
  if (backbones.length > 0 && train.model !== undefined)
    throw new InputError('Give --backbone or --model, not both: --model trains from scratch.');
  // Named wrongly, it is known before anything is read.
  if (train.model !== undefined) defaultInputSize(train.model);
  const { maxSize, maxLatency } = own;
  return {
    train,
    backbones: backbones.map((entry) => entry.trim()),
    asksForGradients: rest['gradients'] !== undefined,
    budget: parseQuantity(own.budget, DURATION, '--budget'),
    ...(maxSize !== undefined && { maxBytes: parseQuantity(maxSize, FILE_SIZE, '--max-size') }),
    ...(maxLatency !== undefined && { maxMilliseconds: parseQuantity(maxLatency, LATENCY, '--max-latency') }),
  };
}

/** For `config.json`: those of training as every run has them, and its own beside them. The run may be continued from another folder. */
export function recordedPlan({ train, backbones, ...own }: ResolvedPlanOptions): {
  readonly options: ResolvedTrainOptions;
  readonly plan: object;
} {
  const absolute = (path: string): string => (existsSync(path) ? resolve(path) : path);
  return { options: withAbsolutePaths(train), plan: { ...own, backbones: backbones.map(absolute) } };
}

/** @throws InputError where `config.json` holds other options */
export function planFromRun({ options, plan }: Readonly<Record<string, unknown>>): ResolvedPlanOptions {
  const train = resolveTrainOptions(options, 'config.json of the run');
  return { ...(plan as Omit<ResolvedPlanOptions, 'train'>), train };
}

/** What the plan of a run was told, to be told again. @throws as `planFromRun` */
export function toldAgain(config: Readonly<Record<string, unknown>>): PlanOptions {
  const { train, backbones, asksForGradients, budget, maxBytes, maxMilliseconds } = planFromRun(config);
  const left = new Set<string>([...TRAINING_OPTIONS, 'method', ...(asksForGradients ? [] : ['gradients'])]);
  const kept = Object.entries(train).filter(([name, value]) => value !== undefined && !left.has(name));
  return {
    ...(Object.fromEntries(kept) as Pick<ResolvedTrainOptions, 'data' | 'labelFiles'>),
    method: 'plan',
    backbone: [...backbones],
    budget,
    ...(maxBytes !== undefined && { maxSize: maxBytes }),
    ...(maxMilliseconds !== undefined && { maxLatency: maxMilliseconds }),
  };
}
