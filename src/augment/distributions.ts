import type { RandomStream } from '../core/random.ts';

/**
 * Gamma with scale 1 (Marsaglia and Tsang 2000, "A simple method for generating gamma variables").
 * @param shape above 0
 */
export function gamma(shape: number, stream: RandomStream): number {
  // Below 1 by the next larger shape: their section 6.
  if (shape < 1) return gamma(shape + 1, stream) * (1 - stream.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - stream.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Beta(a, b), 0..1. */
export function beta(a: number, b: number, stream: RandomStream): number {
  const [x, y] = [gamma(a, stream), gamma(b, stream)];
  // Both underflow for the smallest of shapes, where nearly all of the mass is at the ends.
  return x + y > 0 ? x / (x + y) : stream.integer(2);
}

/** A symmetric Dirichlet distribution: `count` shares with sum 1. */
export function dirichlet(alpha: number, count: number, stream: RandomStream): number[] {
  const values = Array.from({ length: count }, () => gamma(alpha, stream));
  const sum = values.reduce((total, value) => total + value, 0);
  return sum > 0 ? values.map((value) => value / sum) : values.map((_, i) => (i === 0 ? 1 : 0));
}
