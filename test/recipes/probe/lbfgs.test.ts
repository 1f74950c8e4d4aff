import { describe, expect, it } from 'vitest';
import { lbfgs } from '../../../src/recipes/probe/lbfgs.ts';

/** Rosenbrock's valley, chained over n variables: minimum 0 at all ones. */
async function rosenbrock(x: Float64Array): Promise<{ value: number; gradient: Float64Array }> {
  const gradient = new Float64Array(x.length);
  let value = 0;
  for (let i = 0; i + 1 < x.length; i++) {
    const [a, b] = [x[i]!, x[i + 1]!];
    value += 100 * (b - a * a) ** 2 + (1 - a) ** 2;
    gradient[i]! += -400 * a * (b - a * a) - 2 * (1 - a);
    gradient[i + 1]! += 200 * (b - a * a);
  }
  return { value, gradient };
}

describe('lbfgs', () => {
  it('finds the minimum of a curved valley', async () => {
    const result = await lbfgs(rosenbrock, new Float64Array([-1.2, 1, -0.5, 2]), {
      tolerance: 1e-8,
      maxIterations: 500,
    });
    expect(result.converged).toBe(true);
    for (const x of result.x) expect(x).toBeCloseTo(1, 6);
  });

  it('solves a quadratic in few steps and does not change its start', async () => {
    const scales = Float64Array.from({ length: 50 }, (_, i) => 1 + i);
    const start = new Float64Array(50).fill(3);
    let calls = 0;
    const result = await lbfgs(
      async (x) => {
        calls++;
        return {
          value: x.reduce((sum, v, i) => sum + (scales[i]! * v * v) / 2, 0),
          gradient: x.map((v, i) => scales[i]! * v),
        };
      },
      start,
      { tolerance: 1e-6 },
    );
    expect(result.converged).toBe(true);
    expect(Math.max(...result.x.map(Math.abs))).toBeLessThan(1e-6);
    expect(calls).toBeLessThan(100);
    expect(start.every((v) => v === 3)).toBe(true);
  });

  it('refuses a start where the function is not finite', async () => {
    await expect(lbfgs(async (x) => ({ value: Number.NaN, gradient: x }), new Float64Array(2))).rejects.toThrow(
      RangeError,
    );
  });
});
