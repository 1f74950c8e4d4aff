import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { logMe } from '../../src/evaluate/log-me.ts';

const [N, D, K] = [40, 6, 3];

function example(signal: number): { features: Float64Array; labels: number[] } {
  const stream = randomStream('log-me', signal);
  const labels = Array.from({ length: N }, (_, i) => i % K);
  const features = Float64Array.from({ length: N * D }, (_, at) => {
    const [i, f] = [Math.floor(at / D), at % D];
    return stream.normal() + (f === labels[i] ? signal : 0);
  });
  return { features, labels };
}

/** Eq. 2 of You et al. 2021 as it is written, for one target: with A = alpha I + beta FᵀF and m = beta A⁻¹ Fᵀ y. */
function evidence(features: Float64Array, y: readonly number[], alpha: number, beta: number): number {
  const a = Array.from({ length: D }, (_, i) =>
    Array.from({ length: D }, (_unused, j) => {
      let sum = 0;
      for (let n = 0; n < N; n++) sum += features[n * D + i]! * features[n * D + j]!;
      return beta * sum + (i === j ? alpha : 0);
    }),
  );
  const right = Array.from({ length: D }, (_, i) =>
    y.reduce((sum, target, n) => sum + beta * target * features[n * D + i]!, 0),
  );
  // Gaussian elimination; the product of the pivots is the determinant.
  let logDeterminant = 0;
  for (let p = 0; p < D; p++) {
    logDeterminant += Math.log(a[p]![p]!);
    for (let row = p + 1; row < D; row++) {
      const factor = a[row]![p]! / a[p]![p]!;
      for (let j = p; j < D; j++) a[row]![j]! -= factor * a[p]![j]!;
      right[row]! -= factor * right[p]!;
    }
  }
  const m = Array.from({ length: D }, () => 0);
  for (let i = D - 1; i >= 0; i--)
    m[i] = (right[i]! - m.reduce((sum, value, j) => (j > i ? sum + a[i]![j]! * value : sum), 0)) / a[i]![i]!;
  const residual = y.reduce(
    (sum, target, n) => sum + (target - m.reduce((fit, w, f) => fit + w * features[n * D + f]!, 0)) ** 2,
    0,
  );
  const norm = m.reduce((sum, w) => sum + w * w, 0);
  return (
    (N / 2) * Math.log(beta) +
    (D / 2) * Math.log(alpha) -
    (N / 2) * Math.log(2 * Math.PI) -
    (beta / 2) * residual -
    (alpha / 2) * norm -
    logDeterminant / 2
  );
}

describe('LogME', () => {
  it("is the paper's evidence at its largest, over a fine grid of both precisions", () => {
    const { features, labels } = example(1);
    let expected = 0;
    for (let k = 0; k < K; k++) {
      const y = labels.map((label) => (label === k ? 1 : 0));
      let best = Number.NEGATIVE_INFINITY;
      for (let a = -3; a <= 4; a += 0.1)
        for (let b = -1; b <= 3; b += 0.05) best = Math.max(best, evidence(features, y, 10 ** a, 10 ** b));
      expected += best / N / K;
    }
    // Both grids stop short of the maximum by less than that.
    expect(logMe(features, labels, K)).toBeCloseTo(expected, 2);
  });

  it('is larger the better features tell classes apart', () => {
    const values = [0, 1, 3].map((signal) => {
      const { features, labels } = example(signal);
      return logMe(features, labels, K);
    });
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(() => logMe(new Float64Array(7), [0, 1], 2)).toThrow(RangeError);
  });
});
