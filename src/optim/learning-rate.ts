import type { Transform } from './transform.ts';

/** Steps downhill: the update times minus the learning rate of the parameter's group. Last in a chain. */
export function scaleByLearningRate(): Transform {
  return {
    slots: [],
    scalars: {},
    apply: (c, updates) => {
      const downhill = new Map<string, string>();
      return c.each(updates, (update, { group }) => {
        const rate = downhill.get(group) ?? c.builder.op('Neg', [c.rate(group)]);
        downhill.set(group, rate);
        return c.mul(update, rate);
      });
    },
  };
}
