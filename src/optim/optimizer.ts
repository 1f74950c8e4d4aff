import { suggestion } from '../core/errors.ts';
import { scaleByAdam } from './adam.ts';
import { clipByGlobalNorm } from './clip.ts';
import { scaleByTrustRatio } from './lamb.ts';
import { scaleByLearningRate } from './learning-rate.ts';
import { scaleByLion } from './lion.ts';
import { trace } from './sgd.ts';
import { chain, type Transform } from './transform.ts';
import { addDecayedWeights } from './weight-decay.ts';

export type OptimizerName = 'sgd' | 'adam' | 'adamw' | 'lion' | 'lamb';

/** Plain data: what `config.json` holds. Absent values take the defaults of the transforms. */
export interface OptimizerOptions {
  readonly name: OptimizerName;
  /** Of parameters that decay. L2 for `sgd` and `adam`, decoupled for the others. Default 0. */
  readonly weightDecay?: number;
  /** `sgd` only; default 0. */
  readonly momentum?: number;
  /** `sgd` only. */
  readonly nesterov?: boolean;
  /** All but `sgd`. */
  readonly betas?: readonly [number, number];
  /** `adam`, `adamw`, `lamb`; default 1e-8, for `lamb` 1e-6. */
  readonly epsilon?: number;
  /** Bound on the norm of all gradients together. */
  readonly clipNorm?: number;
}

type Build = (options: OptimizerOptions) => readonly Transform[];

const OPTIMIZERS = {
  sgd: (o) => [
    addDecayedWeights(o.weightDecay ?? 0),
    trace({ momentum: o.momentum ?? 0, nesterov: o.nesterov ?? false }),
  ],
  adam: (o) => [addDecayedWeights(o.weightDecay ?? 0), scaleByAdam(adamOptions(o, 1e-8))],
  adamw: (o) => [scaleByAdam(adamOptions(o, 1e-8)), addDecayedWeights(o.weightDecay ?? 0)],
  lion: (o) => [scaleByLion(o.betas === undefined ? {} : { betas: o.betas }), addDecayedWeights(o.weightDecay ?? 0)],
  lamb: (o) => [scaleByAdam(adamOptions(o, 1e-6)), addDecayedWeights(o.weightDecay ?? 0), scaleByTrustRatio()],
} satisfies Record<OptimizerName, Build>;

/** Which options each optimizer reads, beside `name`, `weightDecay` and `clipNorm`. */
const READS: Readonly<Record<OptimizerName, readonly (keyof OptimizerOptions)[]>> = {
  sgd: ['momentum', 'nesterov'],
  adam: ['betas', 'epsilon'],
  adamw: ['betas', 'epsilon'],
  lion: ['betas'],
  lamb: ['betas', 'epsilon'],
};

/**
 * The whole chain of an optimizer, from gradients to what is added to the parameters.
 * @throws RangeError for an unknown name, an option the optimizer does not have, or a value out of range.
 * @example
 * const transform = optimizer({ name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 5e-4 });
 */
export function optimizer(options: OptimizerOptions): Transform {
  const { name, clipNorm } = options;
  if (!Object.hasOwn(OPTIMIZERS, name)) {
    const known = Object.keys(OPTIMIZERS);
    throw new RangeError(`The optimizer must be one of ${known.join(', ')}, got "${name}"${suggestion(name, known)}.`);
  }
  for (const key of ['momentum', 'nesterov', 'betas', 'epsilon'] as const)
    if (options[key] !== undefined && !READS[name].includes(key))
      throw new RangeError(`The optimizer "${name}" has no option "${key}".`);
  return chain(
    ...(clipNorm === undefined ? [] : [clipByGlobalNorm(clipNorm)]),
    ...OPTIMIZERS[name](options),
    scaleByLearningRate(),
  );
}

function adamOptions(o: OptimizerOptions, epsilon: number): Parameters<typeof scaleByAdam>[0] & object {
  return { epsilon: o.epsilon ?? epsilon, ...(o.betas !== undefined && { betas: o.betas }) };
}
