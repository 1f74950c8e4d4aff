import type { Transform } from './transform.ts';

/**
 * Scales each parameter's update by |parameter| / |update|, by 1 where either is zero. You et al. 2020
 * (arXiv:1904.00962), algorithm 2 with phi the identity. Behind `scaleByAdam` and `addDecayedWeights`
 * this is LAMB. Parameters that don't decay (norms and biases) are left as they are, as in timm's.
 */
export function scaleByTrustRatio(): Transform {
  return {
    slots: [],
    scalars: {},
    perTensor: true,
    apply: (c, updates) =>
      c.each(updates, (update, parameter) => {
        if (!parameter.decay) return update;
        const weightNorm = c.sqrt(c.sumOfSquares(c.value(parameter.name)));
        const updateNorm = c.sqrt(c.sumOfSquares(update));
        const isZero = (norm: string): string => c.builder.op('Equal', [norm, c.constant(0)]);
        const either = c.builder.op('Or', [isZero(weightNorm), isZero(updateNorm)]);
        // On scalars a Where costs nothing.
        return c.mul(update, c.builder.op('Where', [either, c.constant(1), c.div(weightNorm, updateNorm)]));
      }),
  };
}
