// What is said about scores of several seeds: mean, spread, and paired differences with their intervals.

/** Of an empty list: NaN. */
export const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;

/** Of the sample (n - 1); null for fewer than two. */
export function deviation(list) {
  if (list.length < 2) return null;
  const centre = mean(list);
  return Math.sqrt(list.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (list.length - 1));
}

/**
 * The mean of differences between pairs (two arms, seed by seed) and its 95 % interval by Student's t: mean
 * +- t(0.975, n - 1) s / sqrt(n). It takes differences as normal, which few seeds can't show.
 * @returns {{ mean: number | null, interval: number[] | null, n: number }} without an interval for fewer than two
 */
export function pairedInterval(differences) {
  const n = differences.length;
  const centre = mean(differences);
  const spread = deviation(differences);
  if (spread === null) return { mean: n === 0 ? null : centre, interval: null, n };
  const half = (studentQuantile(0.975, n - 1) * spread) / Math.sqrt(n);
  return { mean: centre, interval: [centre - half, centre + half], n };
}

/** The value that Student's t with whole degrees of freedom stays under with probability `p`, 0.5..1. */
export function studentQuantile(p, degrees) {
  let [low, high] = [0, 1];
  while (studentBelow(high, degrees) < p) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (studentBelow(middle, degrees) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T < t) for t >= 0: Abramowitz and Stegun, 26.7.3 and 26.7.4. */
function studentBelow(t, degrees) {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = 0;
  for (let k = isOdd ? 1 : 0; k < degrees - 1; k += 2) {
    sum += term;
    term *= ((k + 1) / (k + 2)) * cosine ** 2;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return 0.5 + within / 2;
}
