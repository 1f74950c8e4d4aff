import { z } from 'zod';
import { mixes, parsePolicy, repeatsOf } from '../augment/policy.ts';
import { InputError } from '../core/errors.ts';
import { parseOptions } from './parse-options.ts';
import { trainOptionsSchema } from './train-options.ts';

/** Fewer images give batch norm, which keeps SimSiam from collapsing, too small a sample. */
export const LEAST_BATCH = 16;

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
    recompute: true,
    device: true,
    threads: true,
    engine: true,
  })
  .extend({
    batchSize: z.int().min(LEAST_BATCH).default(64),
    /** How the two views of an image are drawn: a policy that neither mixes nor repeats. */
    augment: z.string().optional(),
    /** Width of projection and prediction. */
    width: z.int().min(16).max(8192).default(512),
  });

export type PretrainOptions = z.input<typeof pretrainOptionsSchema>;
export type ResolvedPretrainOptions = z.output<typeof pretrainOptionsSchema>;

/** @throws InputError naming every unknown or bad option at once, with "did you mean"; for a policy that mixes or repeats */
export function resolvePretrainOptions(options: unknown, where = 'options of pretrain'): ResolvedPretrainOptions {
  const parsed = parseOptions(pretrainOptionsSchema, options, where);
  const { augment, backbone, model } = parsed;
  if (backbone !== undefined && model !== undefined)
    throw new InputError('Give --backbone or --model, not both: --model begins from random weights.');
  if (augment !== undefined) {
    const policy = parsePolicy(augment);
    if (mixes(policy) || repeatsOf(policy) > 1)
      throw new InputError(
        `Pretraining compares two views of one image: "augment" may neither mix nor repeat, got "${augment}".`,
      );
  }
  return parsed;
}
