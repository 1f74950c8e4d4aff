import type { Transform } from './transform.ts';

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)), norm being that of all of them together, as PyTorch's
 * `clip_grad_norm_` (Pascanu et al. 2013, arXiv:1211.5063). First in a chain.
 * @throws RangeError unless maxNorm is positive.
 */
export function clipByGlobalNorm(maxNorm: number): Transform {
  if (!(maxNorm > 0)) throw new RangeError(`The bound on the gradient's norm must be positive, got ${maxNorm}.`);
  return {
    slots: [],
    scalars: {},
    apply: (c, updates) => {
      const ratio = c.div(c.constant(maxNorm), c.add(c.gradientNorm(), 1e-6));
      const factor = c.builder.op('Min', [ratio, c.constant(1)]);
      return c.each(updates, (update) => c.mul(update, factor));
    },
  };
}
