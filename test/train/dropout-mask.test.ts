import { expect, it } from 'vitest';
import { dropoutMask } from '../../src/train/dropout-mask.ts';

const mask = { input: 'mask', shape: [100, 100], rate: 0.2 };

it('zeroes the wanted share and scales the rest, so that the mean stays', () => {
  const values = dropoutMask(mask, [1, 'dropout', 3]);
  expect(new Set(values)).toEqual(new Set([0, Math.fround(1.25)]));
  // Ten thousand draws: five standard deviations are 0.02.
  expect(values.filter((value) => value === 0).length / values.length).toBeCloseTo(0.2, 1.5);
  expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(1, 1.5);
});

it('is the same for the same key and another for another', () => {
  expect(dropoutMask(mask, [1, 'a', 3])).toEqual(dropoutMask(mask, [1, 'a', 3]));
  expect(dropoutMask(mask, [1, 'a', 4])).not.toEqual(dropoutMask(mask, [1, 'a', 3]));
});
