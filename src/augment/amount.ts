import type { RangeParameter } from './parameters.ts';

/** How much of an effect that by itself is there or not. */
export const amountParameter = {
  kind: 'range',
  about: 'share of the result; the rest is the image as it was',
  min: 0,
  max: 1,
  identity: 0,
  single: 'exactly',
  default: [1, 1],
} as const satisfies RangeParameter;

/**
 * The amount at a level of strength, 1 - (1 - level)^4: half of the effect is there at a level of 0.16. It is strictly monotone, and
 * at RandAugment's usual levels (M = 9 of 30: 0.76) it is near what those who have the effect there or not would do.
 */
export function amountAt(level: number): number {
  return 1 - (1 - level) ** 4;
}
