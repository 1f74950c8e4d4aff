import type { Transform } from './transform.ts';

export interface MomentumOptions {
  /** 0 (none) to below 1. */
  readonly momentum: number;
  /** Looks ahead: the update is g + momentum * buffer. */
  readonly nesterov?: boolean;
}

/**
 * Momentum as PyTorch's SGD has it: buffer = momentum * buffer + g (no dampening), so that the first buffer is
 * the first gradient. Sutskever et al. 2013 for Nesterov's form.
 * @throws RangeError for a momentum outside 0..1.
 */
export function trace({ momentum, nesterov = false }: MomentumOptions): Transform {
  if (!(momentum >= 0 && momentum < 1))
    throw new RangeError(`Momentum must be at least 0 and below 1, got ${momentum}.`);
  if (momentum === 0) return { slots: [], scalars: {}, apply: (_, updates) => updates };
  return {
    slots: ['momentum'],
    scalars: {},
    apply: (c, updates) =>
      c.each(updates, (update, { name }) => {
        const buffer = c.add(c.mul(c.slot('momentum', name), momentum), update);
        c.remember('momentum', name, buffer);
        return nesterov ? c.add(update, c.mul(buffer, momentum)) : buffer;
      }),
  };
}
