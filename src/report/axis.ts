/** Round numbers that cover `low` to `high` in about `wanted` steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, wanted = 5): number[] {
  if (!(high > low)) return ticks(low - (Math.abs(low) || 1) / 2, low + (Math.abs(low) || 1) / 2, wanted);
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  // From integers, so that 3 * 0.1 reads 0.3.
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(digits)));
}

/** Ticks as text, all with the digits that tell them apart. */
export function tickLabels(values: readonly number[], unit: '' | '%'): string[] {
  const scaled = values.map((value) => (unit === '%' ? 100 * value : value));
  const step = Math.abs((scaled[1] ?? 1) - (scaled[0] ?? 0));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return scaled.map((value) => (digits > 6 ? value.toExponential(1) : value.toFixed(digits)) + (unit && ` ${unit}`));
}

/** A straight map of `from` onto `to`. */
export function scale(from: readonly [number, number], to: readonly [number, number]): (value: number) => number {
  const factor = (to[1] - to[0]) / (from[1] - from[0]);
  return (value) => Number((to[0] + (value - from[0]) * factor).toFixed(2));
}
