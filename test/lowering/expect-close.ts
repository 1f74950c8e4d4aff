import { expect } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Values } from './direct.ts';

/** float32 against float64: sums of a few hundred products keep 5 digits of the largest value. */
const TOLERANCE = 2e-5;

export function expectClose(actual: Tensor, expected: Values, what: string, tolerance = TOLERANCE): void {
  expect(actual.shape, what).toEqual(expected.shape);
  let largest = 0;
  let worst = 0;
  for (const [i, value] of expected.data.entries()) {
    largest = Math.max(largest, Math.abs(value));
    const error = Math.abs(value - (actual.data[i] as number));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  expect(worst, `${what}: largest error against a largest value of ${largest}`).toBeLessThanOrEqual(
    tolerance * Math.max(largest, 1e-3),
  );
}
