import { expect, it } from 'vitest';
import { agreementOf } from '../../../src/recipes/distillation/agreement.ts';

it('counts where both hold one class for the most probable, and measures what one says from what the other says', () => {
  const teacher = Float32Array.from([Math.log(0.5), Math.log(0.3), Math.log(0.2), 0, 2, 1, 3, 0, 0, 0, 0, 5]);
  const student = Float32Array.from([Math.log(0.2), Math.log(0.2), Math.log(0.6), 0, 2, 1, 3, 0, 0, 0, 0, 5]);
  const found = agreementOf(teacher, student, 4);
  const divergence = 0.5 * Math.log(0.5 / 0.2) + 0.3 * Math.log(0.3 / 0.2) + 0.2 * Math.log(0.2 / 0.6);
  expect(found).toMatchObject({ agreement: 0.75, compared: 4, kl: expect.closeTo(divergence / 4, 6) });
  // Wilson's for 3 of 4, by scipy: 0.3006, 0.9544.
  expect(found.agreementInterval).toEqual([expect.closeTo(0.3006, 4), expect.closeTo(0.9544, 4)]);
  expect(() => agreementOf(teacher, student.subarray(3), 4)).toThrow(RangeError);
  expect(() => agreementOf(new Float32Array(0), new Float32Array(0), 0)).toThrow(RangeError);
});
