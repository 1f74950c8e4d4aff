/** Probabilities of one row of logits, in float64. */
export function softmax(logits: ArrayLike<number>, temperature = 1): number[] {
  const scaled = Array.from(logits, (z) => z / temperature);
  const top = Math.max(...scaled);
  const powers = scaled.map((z) => Math.exp(z - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/**
 * Probabilities p at a temperature: p^(1/T), renormalised; what is 0 stays 0. T over 1 makes them more even, and the most
 * probable class stays the same.
 * @throws RangeError unless the temperature is finite and over 0
 */
export function softened(probabilities: ArrayLike<number>, temperature: number): number[] {
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new RangeError(`A temperature must be finite and over 0, got ${temperature}.`);
  return softmax(Array.from(probabilities, Math.log), temperature);
}

/**
 * Mean Kullback-Leibler divergence, in nats, of what `actual` says from what `expected` says.
 * @param expected logits, `rows` rows of K
 */
export function meanDivergence(expected: Float32Array, actual: Float32Array, rows: number): number {
  const width = expected.length / rows;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const [p, q] = [expected, actual].map((logits) => softmax(logits.subarray(row * width, (row + 1) * width))) as [
      number[],
      number[],
    ];
    for (const [k, share] of p.entries()) if (share > 0) sum += share * Math.log(share / Math.max(q[k]!, 1e-30));
  }
  return sum / rows;
}
