/**
 * exp(entropy) of shares: K where all are equal, 1 where one has all (Hill 1973, order 1).
 * @param amounts [K], 0 or more, in any unit
 */
export function effectiveNumber(amounts: readonly number[]): number {
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  return Math.exp(
    amounts.reduce(
      (entropy, amount) => (amount > 0 ? entropy - (amount / total) * Math.log(amount / total) : entropy),
      0,
    ),
  );
}
