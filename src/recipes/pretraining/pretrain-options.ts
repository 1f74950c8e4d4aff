import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { mixes, parsePolicy, repeatsOf } from '../../augment/policy.ts';
import { InputError } from '../../core/errors.ts';
import { teachingOptionsSchema } from '../distillation/distill-options.ts';
import { parseOptions } from '../parse-options.ts';
import { checkPhases, trainOptionsSchema, withAbsolutePaths } from '../train-options.ts';

/** Fewer images give batch norm, which keeps SimSiam from collapsing, too small a sample. */
export const LEAST_BATCH = 16;

/** Of SimSiam's projection and prediction. */
const WIDTH = 512;

/** What pretraining without labels can be told: what it shares with `train` means the same. */
export const pretrainOptionsSchema = trainOptionsSchema
  .pick({
    data: true,
    backbone: true,
    model: true,
    out: true,
    seed: true,
    dataLayout: true,
    followLinks: true,
    maxPixels: true,
    inputSize: true,
    mean: true,
    std: true,
    channels: true,
    interpolation: true,
    cropFraction: true,
    layout: true,
    embedding: true,
    logits: true,
    epochs: true,
    lr: true,
    weightDecay: true,
    momentum: true,
    warmupEpochs: true,
    trainSize: true,
    finalEpochs: true,
    recompute: true,
    device: true,
    threads: true,
    engine: true,
  })
  .extend({
    batchSize: z.int().min(LEAST_BATCH).default(64),
    /** How images are varied, for SimSiam the two views of each: a policy that neither mixes nor repeats. */
    augment: z.string().optional(),
    /** Of SimSiam: width of projection and prediction. Default 512. */
    width: z.int().min(16).max(8192).optional(),
    /** File, URL or `hf:owner/repo[/file]` of a network whose features are learnt, in place of SimSiam. */
    teacher: z.string().min(1).optional(),
    /** How it wants its images, where it doesn't declare it. */
    teacherInput: teachingOptionsSchema.shape.teacherInput,
  });

export type PretrainOptions = z.input<typeof pretrainOptionsSchema>;
export type ResolvedPretrainOptions = z.output<typeof pretrainOptionsSchema> & { readonly width: number };

/** @throws InputError naming every unknown or bad option at once, with "did you mean"; for a policy that mixes or repeats, and what does not go together */
export function resolvePretrainOptions(options: unknown, where = 'options of pretrain'): ResolvedPretrainOptions {
  const parsed = parseOptions(pretrainOptionsSchema, options, where);
  const { augment, backbone, model, teacher, teacherInput, width } = parsed;
  if (backbone !== undefined && model !== undefined)
    throw new InputError('Give --backbone or --model, not both: --model begins from random weights.');
  if (augment !== undefined) {
    const policy = parsePolicy(augment);
    if (mixes(policy) || repeatsOf(policy) > 1)
      throw new InputError(
        `Pretraining looks at single images: "augment" may neither mix nor repeat, got "${augment}".`,
      );
  }
  if (teacher !== undefined && width !== undefined)
    throw new InputError('"width" is that of SimSiam\'s projection, and has no effect with "teacher".');
  const told = Object.entries(teacherInput).find(([, value]) => value !== undefined);
  if (teacher === undefined && told !== undefined)
    throw new InputError(`"${told[0]}" of the teacher is given, but no "teacher".`);
  checkPhases(parsed);
  return { ...parsed, width: width ?? WIDTH };
}

/** A run may be continued from another folder. */
export function withAbsoluteFiles({ width, ...options }: ResolvedPretrainOptions): PretrainOptions {
  const { teacher } = options;
  return {
    ...withAbsolutePaths(options),
    ...(teacher === undefined ? { width } : { teacher: existsSync(teacher) ? resolve(teacher) : teacher }),
  };
}
