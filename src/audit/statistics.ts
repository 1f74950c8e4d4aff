import type { RandomStream } from '../core/random.ts';

/** Numbers alone, in rising order. */
export function ascending(values: Iterable<number>): Float64Array {
  return Float64Array.from([...values].filter((value) => !Number.isNaN(value))).toSorted();
}

/** At most `limit` of the values, drawn without replacement. */
export function drawn<T>(values: readonly T[], limit: number, stream: RandomStream): T[] {
  const pool = [...values];
  const count = Math.min(limit, pool.length);
  for (let i = 0; i < count; i++) {
    const other = i + stream.integer(pool.length - i);
    [pool[i], pool[other]] = [pool[other]!, pool[i]!];
  }
  return pool.slice(0, count);
}

/**
 * Squared energy distance of two samples of numbers, 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Székely and Rizzo 2013), which
 * is twice the integral of the squared difference of their distribution functions (Cramér's distance).
 * @param one in rising order, not empty
 * @param other in rising order, not empty
 * @param oneWeights, otherWeights of the values, default all alike
 */
export function energyDistance(
  one: ArrayLike<number>,
  other: ArrayLike<number>,
  oneWeights?: ArrayLike<number>,
  otherWeights?: ArrayLike<number>,
): number {
  const [oneTotal, otherTotal] = [total(one.length, oneWeights), total(other.length, otherWeights)];
  let [i, j, a, b, sum] = [0, 0, 0, 0, 0];
  let last = Math.min(one[0]!, other[0]!);
  while (i < one.length || j < other.length) {
    const takesOne = j >= other.length || (i < one.length && one[i]! <= other[j]!);
    const value = takesOne ? one[i]! : other[j]!;
    const difference = a - b;
    sum += difference * difference * (value - last);
    last = value;
    if (takesOne) a += (oneWeights === undefined ? 1 : oneWeights[i]!) / oneTotal;
    else b += (otherWeights === undefined ? 1 : otherWeights[j]!) / otherTotal;
    if (takesOne) i++;
    else j++;
  }
  return 2 * sum;
}

function total(count: number, weights: ArrayLike<number> | undefined): number {
  if (weights === undefined) return count;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += weights[i]!;
  return sum;
}

/**
 * Whether two samples can be of one distribution: the share of random splits of all values, of the same sizes, whose
 * energy distance is as large. Stops early where that is common (Besag and Clifford 1991).
 * @returns p, at least 1 / (splits + 1)
 */
export function permutationTest(
  one: readonly number[],
  other: readonly number[],
  stream: RandomStream,
  splits = 2999,
): number {
  const pooled = Float64Array.from([...one, ...other]);
  const order = Array.from(pooled.keys()).toSorted((a, b) => pooled[a]! - pooled[b]!);
  const gaps = Float64Array.from(order, (at, i) => (i === 0 ? 0 : pooled[at]! - pooled[order[i - 1]!]!));
  const isOne = Uint8Array.from(order, (at) => (at < one.length ? 1 : 0));
  const [n, m] = [one.length, other.length];
  const distance = (members: Uint8Array): number => {
    let [a, b, sum] = [0, 0, 0];
    for (let i = 0; i < members.length; i++) {
      const difference = a / n - b / m;
      sum += difference * difference * gaps[i]!;
      if (members[i] === 1) a++;
      else b++;
    }
    return sum;
  };
  // Equal sums of one set of numbers in two orders may differ by rounding.
  const observed = distance(isOne) * (1 - 1e-9);
  const members = isOne.slice();
  let exceeded = 0;
  for (let split = 1; split <= splits; split++) {
    for (let i = members.length - 1; i > 0; i--) {
      const j = stream.integer(i + 1);
      const kept = members[i]!;
      members[i] = members[j]!;
      members[j] = kept;
    }
    if (distance(members) >= observed && ++exceeded === 20) return exceeded / split;
  }
  return (exceeded + 1) / (splits + 1);
}

/** Holm's correction (1979): p-values that may be compared with one level for all, in the order given. */
export function holm(ps: readonly number[]): number[] {
  const adjusted = ps.map(() => 1);
  let least = 0;
  for (const [rank, { p, i }] of ps
    .map((p, i) => ({ p, i }))
    .toSorted((a, b) => a.p - b.p)
    .entries()) {
    least = Math.max(least, Math.min(1, p * (ps.length - rank)));
    adjusted[i] = least;
  }
  return adjusted;
}

/**
 * Cliff's delta: how much more often a value of `other` exceeds one of `one` than the reverse, -1..1.
 * @param one in rising order
 * @param other in rising order
 */
export function cliffsDelta(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let [below, upTo, sum] = [0, 0, 0];
  for (let j = 0; j < other.length; j++) {
    const value = other[j]!;
    while (below < one.length && one[below]! < value) below++;
    while (upTo < one.length && one[upTo]! <= value) upTo++;
    sum += below - (one.length - upTo);
  }
  return sum / (one.length * other.length);
}

/** Spearman's correlation of ranks; ties have their mean rank. */
export function spearman(one: readonly number[], other: readonly number[]): number {
  const [a, b] = [ranks(one), ranks(other)];
  const middle = (one.length - 1) / 2;
  let [covariance, varianceA, varianceB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - middle, b[i]! - middle];
    covariance += x * y;
    varianceA += x * x;
    varianceB += y * y;
  }
  return varianceA === 0 || varianceB === 0 ? 0 : covariance / Math.sqrt(varianceA * varianceB);
}

function ranks(values: readonly number[]): Float64Array {
  const order = Array.from(values.keys()).toSorted((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let i = 0; i < order.length;) {
    let end = i + 1;
    while (end < order.length && values[order[end]!] === values[order[i]!]) end++;
    for (let k = i; k < end; k++) result[order[k]!] = (i + end - 1) / 2;
    i = end;
  }
  return result;
}
