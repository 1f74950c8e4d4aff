/** 97.5 % quantile of the standard normal. */
const Z = 1.959963984540054;

/**
 * The 95 % interval of a share: `right` of `n` (Wilson, 1927, eq. 4). It stays within 0..1 and is sensible
 * for few images and for shares near 0 and 1, where the textbook's p +- 1.96 s is not.
 * @throws RangeError unless 0 <= right <= n and n > 0.
 */
export function wilsonInterval(right: number, n: number): [low: number, high: number] {
  if (!(n > 0 && right >= 0 && right <= n))
    throw new RangeError(`An interval needs 0 <= right <= n, got ${right} of ${n}.`);
  const share = right / n;
  const scale = 1 / (1 + Z ** 2 / n);
  const centre = scale * (share + Z ** 2 / (2 * n));
  const half = scale * Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  // Rounding must not move a limit past the share itself, or past 0 and 1.
  return [Math.max(0, Math.min(share, centre - half)), Math.min(1, Math.max(share, centre + half))];
}
