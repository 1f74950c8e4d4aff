/**
 * Limited-memory BFGS (Liu and Nocedal, 1989; two-loop recursion, Nocedal and Wright, algorithm 7.4) with a
 * backtracking line search (Armijo) that also asks for positive curvature before a pair is stored. For smooth
 * problems whose function and gradient are evaluated elsewhere: the linear head on cached features.
 */
export interface LbfgsOptions {
  /** Pairs kept. Default 10. */
  readonly history?: number;
  /** Default 200. */
  readonly maxIterations?: number;
  /** Stops when the largest gradient entry is at most this. Default 1e-4. */
  readonly tolerance?: number;
}

export interface LbfgsResult {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  readonly converged: boolean;
}

export type Objective = (x: Float64Array) => Promise<{ value: number; gradient: Float64Array }>;

/** Minimises `objective` from `start`. @throws RangeError where the objective is not finite at the start. */
export async function lbfgs(
  objective: Objective,
  start: Float64Array,
  options: LbfgsOptions = {},
): Promise<LbfgsResult> {
  const { history = 10, maxIterations = 200, tolerance = 1e-4 } = options;
  let x: Float64Array = Float64Array.from(start);
  let { value, gradient } = await objective(x);
  if (!Number.isFinite(value)) throw new RangeError(`lbfgs needs a finite value at the start, got ${value}.`);
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (largest(gradient) <= tolerance) return { x, value, iterations: iteration, converged: true };
    let direction = descent(gradient, pairs);
    let slope = dot(direction, gradient);
    if (slope >= 0) {
      // Rounding spoilt the curvature pairs: start over from the steepest descent.
      pairs.length = 0;
      direction = descent(gradient, pairs);
      slope = dot(direction, gradient);
    }
    let step = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    let next: { x: Float64Array; value: number; gradient: Float64Array } | undefined;
    for (let tries = 0; tries < 25; tries++, step /= 2) {
      const candidate = plus(x, direction, step);
      const evaluated = await objective(candidate);
      if (evaluated.value <= value + 1e-4 * step * slope) {
        next = { x: candidate, ...evaluated };
        break;
      }
    }
    // No step lowers the value any more: float32 evaluation has reached its limit.
    if (next === undefined) return { x, value, iterations: iteration, converged: false };
    const s = plus(next.x, x, -1);
    const y = plus(next.gradient, gradient, -1);
    const curvature = dot(s, y);
    if (curvature > 1e-10 * dot(y, y)) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > history) pairs.shift();
    }
    ({ x, value, gradient } = next);
  }
  return { x, value, iterations: maxIterations, converged: false };
}

function descent(
  gradient: Float64Array,
  pairs: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.map((g) => -g);
  const alphas: number[] = [];
  for (const { s, y, rho } of pairs.toReversed()) {
    const alpha = rho * dot(s, q);
    alphas.push(alpha);
    addScaled(q, y, -alpha);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  for (const { s, y, rho } of pairs) addScaled(q, s, alphas.pop()! - rho * dot(y, q));
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!;
}

function plus(a: Float64Array, b: Float64Array, factor: number): Float64Array {
  const result = Float64Array.from(a);
  addScaled(result, b, factor);
  return result;
}

function largest(a: Float64Array): number {
  let result = 0;
  for (const value of a) result = Math.max(result, Math.abs(value));
  return result;
}
