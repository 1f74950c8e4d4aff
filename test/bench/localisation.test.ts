import { describe, expect, test } from 'vitest';
import { boxAbove, contains, enlarged, overlap, peak } from '../../bench/support/localisation.mjs';

/** A map of digits, row by row. */
const mapOf = (...rows: string[]): Float32Array => Float32Array.from([...rows.join('')].map(Number));

describe('boxes of maps', () => {
  test('a map is enlarged as PyTorch does without aligned corners', () => {
    const larger = enlarged(mapOf('04', '80'), 2, 2, 4);
    // torch.nn.functional.interpolate(..., scale_factor=2, mode='bilinear', align_corners=False)
    expect([...larger]).toEqual([0, 1, 3, 4, 2, 2.25, 2.75, 3, 6, 4.75, 2.25, 1, 8, 6, 2, 0]);
    expect(peak(larger, 4)).toEqual({ x: 0, y: 3 });
  });

  test('the box is around the largest part, which touches side by side', () => {
    const map = mapOf('90000', '00560', '00070', '00005', '00000');
    expect(boxAbove(map, 5, 0.5)).toEqual({ left: 2, top: 1, width: 2, height: 2 });
    expect(boxAbove(map, 5, 0.9)).toEqual({ left: 0, top: 0, width: 1, height: 1 });
    // No part runs on from the end of a row to the beginning of the next.
    expect(boxAbove(mapOf('009', '900', '000'), 3, 0.5)).toEqual({ left: 2, top: 0, width: 1, height: 1 });
    expect(boxAbove(new Float32Array(9).fill(-1), 3, 0.5)).toBeUndefined();
  });

  test('overlap and hits', () => {
    const box = { left: 1, top: 1, width: 2, height: 2 };
    expect(overlap(box, box)).toBe(1);
    expect(overlap(box, { left: 2, top: 1, width: 2, height: 2 })).toBeCloseTo(2 / 6, 12);
    expect(overlap(box, { left: 3, top: 1, width: 2, height: 2 })).toBe(0);
    expect(overlap(box, undefined)).toBe(0);
    expect([1, 2, 3].map((x) => contains(box, { x, y: 2 }))).toEqual([true, true, false]);
    expect([0, 1].map((y) => contains(box, { x: 1, y }))).toEqual([false, true]);
  });
});
