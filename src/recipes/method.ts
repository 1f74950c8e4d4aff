import type { ResolvedTrainOptions } from './train-options.ts';

export type Method = 'probe' | 'finetune' | 'scratch';

/** As asked; else `finetune` with a backbone, `scratch` without. */
export function methodOf(options: ResolvedTrainOptions): Method {
  return options.method ?? (options.backbone === undefined ? 'scratch' : 'finetune');
}
