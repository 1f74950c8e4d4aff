import { CONSISTENCY_METHODS, type ConsistencyMethod } from '../train/consistency/methods.ts';
import type { ResolvedTrainOptions } from './train-options.ts';

/** How a network starts, and what of it is trained. */
export type Method = 'probe' | 'finetune' | 'scratch';

/** As asked; else `finetune` with a backbone, `scratch` without: methods that learn from unlabelled images do either. */
export function methodOf(options: ResolvedTrainOptions): Method {
  const { method, backbone } = options;
  return method === undefined || isConsistency(method) ? (backbone === undefined ? 'scratch' : 'finetune') : method;
}

/** The name that a run's method goes by. */
export function methodName(options: ResolvedTrainOptions): string {
  return options.method ?? methodOf(options);
}

/** The method that learns from unlabelled images, where one is asked for. */
export function consistencyMethodOf({ method }: ResolvedTrainOptions): ConsistencyMethod | undefined {
  return method !== undefined && isConsistency(method) ? method : undefined;
}

function isConsistency(method: NonNullable<ResolvedTrainOptions['method']>): method is ConsistencyMethod {
  return Object.hasOwn(CONSISTENCY_METHODS, method);
}
