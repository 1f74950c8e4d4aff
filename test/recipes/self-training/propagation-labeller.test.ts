import { describe, expect, it } from 'vitest';
import { float32 } from '../../../src/core/tensor.ts';
import { sideBySide } from '../../../src/recipes/self-training/propagation-labeller.ts';

const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

describe('rows of several networks side by side', () => {
  const first = [[1, 2, 9], [3, -1, 7], [2, 2, 8], [0, 5, 4]]; // prettier-ignore
  const second = [[100, 0], [0, 300], [200, 100], [50, 60]]; // prettier-ignore

  it('have each the same say in a product, whatever their sizes and means', () => {
    const joined = sideBySide([float32(first.flat(), [4, 3]), float32(second.flat(), [4, 2])]);
    expect(joined.shape).toEqual([4, 5]);
    const row = (i: number): number[] => Array.from(joined.data as Float32Array).slice(5 * i, 5 * i + 5);
    const centred = (rows: readonly (readonly number[])[]): number[][] =>
      rows.map((one) => one.map((value, k) => value - rows.reduce((sum, other) => sum + other[k]!, 0) / rows.length));
    const cosine = (rows: readonly (readonly number[])[], i: number, j: number): number => {
      const [x, y] = [centred(rows)[i]!, centred(rows)[j]!];
      return dot(x, y) / Math.hypot(...x) / Math.hypot(...y);
    };
    for (const [i, j] of [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 2],
    ] as const)
      // prettier-ignore
      expect(dot(row(i), row(j))).toBeCloseTo(cosine(first, i, j) + cosine(second, i, j), 5);
  });

  it('are those of one network where there is one', () => {
    const alone = float32(first.flat(), [4, 3]);
    expect(sideBySide([alone])).toBe(alone);
  });
});
