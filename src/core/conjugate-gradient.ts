/**
 * Solves A x = b for a symmetric positive definite A (Hestenes and Stiefel 1952), from x = 0.
 * @param multiply writes A v into `out`
 * @param tolerance of the residual's norm, as a share of that of b
 */
export function conjugateGradient(
  multiply: (v: Float64Array, out: Float64Array) => void,
  b: Float64Array,
  tolerance = 1e-6,
  mostRounds = 1000,
): Float64Array {
  const x = new Float64Array(b.length);
  const residual = b.slice();
  const direction = b.slice();
  const product = new Float64Array(b.length);
  let square = dot(residual, residual);
  const target = tolerance ** 2 * square;
  for (let round = 0; round < mostRounds && square > target; round++) {
    multiply(direction, product);
    const step = square / dot(direction, product);
    for (let i = 0; i < x.length; i++) {
      x[i]! += step * direction[i]!;
      residual[i]! -= step * product[i]!;
    }
    const next = dot(residual, residual);
    for (let i = 0; i < x.length; i++) direction[i] = residual[i]! + (next / square) * direction[i]!;
    square = next;
  }
  return x;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
