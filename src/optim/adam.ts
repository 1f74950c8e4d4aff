import type { Transform } from './transform.ts';

export interface AdamOptions {
  /** Decay of the mean of gradients and of their squares; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; default 1e-8. */
  readonly epsilon?: number;
}

/**
 * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon), with m and v the moving means of gradients and of
 * their squares. Kingma and Ba 2015 (arXiv:1412.6980). The corrections of the bias are scalars of the step.
 * @throws RangeError for a beta outside 0..1 or a negative epsilon.
 */
export function scaleByAdam({ betas = [0.9, 0.999], epsilon = 1e-8 }: AdamOptions = {}): Transform {
  const [first, second] = betas;
  checkBetas(betas);
  if (!(epsilon >= 0)) throw new RangeError(`Epsilon must not be negative, got ${epsilon}.`);
  return {
    slots: ['mean', 'square'],
    scalars: {
      mean_correction: (step) => 1 / (1 - first ** step),
      square_correction: (step) => 1 / Math.sqrt(1 - second ** step),
    },
    apply: (c, updates) =>
      c.each(updates, (update, { name }) => {
        const mean = c.remember('mean', name, c.average(first, c.slot('mean', name), update));
        const square = c.remember('square', name, c.average(second, c.slot('square', name), c.mul(update, update)));
        const deviation = c.add(c.mul(c.sqrt(square), c.scalar('square_correction')), epsilon);
        return c.div(c.mul(mean, c.scalar('mean_correction')), deviation);
      }),
  };
}

/** @throws RangeError unless both are at least 0 and below 1. */
export function checkBetas(betas: readonly [number, number]): void {
  for (const beta of betas)
    if (!(beta >= 0 && beta < 1))
      throw new RangeError(`Betas must be at least 0 and below 1, got ${betas.join(', ')}.`);
}
