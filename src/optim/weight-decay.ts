import type { Transform } from './transform.ts';

/**
 * Adds `decay` times the weights to the update, of parameters that decay (not of norms and biases). In front of
 * the optimizer's own scaling it is L2 regularisation (coupled, as PyTorch's SGD and Adam), behind it
 * the decoupled form of Loshchilov and Hutter 2019 (arXiv:1711.05101).
 * @throws RangeError unless decay is finite and not negative.
 */
export function addDecayedWeights(decay: number): Transform {
  if (!(decay >= 0 && Number.isFinite(decay)))
    throw new RangeError(`Weight decay must be finite and not negative, got ${decay}.`);
  return {
    slots: [],
    scalars: {},
    apply: (c, updates) =>
      c.each(updates, (update, parameter) =>
        parameter.decay && decay !== 0 ? c.add(update, c.mul(c.value(parameter.name), decay)) : update,
      ),
  };
}
