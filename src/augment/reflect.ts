/** An index beyond the border, reflected about the last pixel, as often as needed: ... 2 1 | 0 1 2 ... ("reflect 101"). */
export function reflected(at: number, side: number): number {
  if (side === 1) return 0;
  const period = 2 * side - 2;
  const inPeriod = ((at % period) + period) % period;
  return inPeriod < side ? inPeriod : period - inPeriod;
}
