import type { LossOptions } from '../../train/step-loss.ts';

/** Losses of labels by the short names of the literature. */
export const LABEL_LOSSES = {
  ce: 'cross-entropy',
  sce: 'symmetric-cross-entropy',
  gce: 'generalized-cross-entropy',
  bootstrap: 'soft-bootstrapping',
  'bootstrap-hard': 'hard-bootstrapping',
} as const satisfies Readonly<Record<string, LossOptions['name']>>;

export const LABEL_LOSS_NAMES = Object.keys(LABEL_LOSSES) as (keyof typeof LABEL_LOSSES)[];
