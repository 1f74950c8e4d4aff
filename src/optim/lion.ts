import { checkBetas } from './adam.ts';
import type { Transform } from './transform.ts';

export interface LionOptions {
  /** Share of the old momentum in the sign, and in the momentum that is kept; default 0.9 and 0.99. */
  readonly betas?: readonly [number, number];
}

/**
 * sign(b1 m + (1 - b1) g), then m = b2 m + (1 - b2) g. Chen et al. 2023 (arXiv:2302.06675), algorithm 2. Wants
 * a rate 3 to 10 times below AdamW's and a decay as many times above.
 * @throws RangeError for a beta outside 0..1.
 */
export function scaleByLion({ betas = [0.9, 0.99] }: LionOptions = {}): Transform {
  checkBetas(betas);
  const [inSign, kept] = betas;
  return {
    slots: ['mean'],
    scalars: {},
    apply: (c, updates) =>
      c.each(updates, (update, { name }) => {
        const mean = c.slot('mean', name);
        c.remember('mean', name, c.average(kept, mean, update));
        return c.builder.op('Sign', [c.average(inSign, mean, update)]);
      }),
  };
}
