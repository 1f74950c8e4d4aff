/** Numbers as a person reads them, the same on every system; no line breaks between a number and its unit. */

const SPACE = '\u00A0';

/** `0.8742` as `87.4 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)}${SPACE}%`;
}

/** `80.1 to 92.2 %`. */
export function percentRange([low, high]: readonly [number, number]): string {
  return `${(100 * low).toFixed(1)} to ${percent(high)}`;
}

/** `12345` as `12,345`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 image`, `2,000 images`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Decimal units: `14.2 MB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? scaled : scaled.toPrecision(3)}${SPACE}${units[unit]}`;
}

/** Short scale: `3,504,872` as `3.50 M`. */
export function magnitude(value: number): string {
  for (const [limit, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= limit) return `${(value / limit).toPrecision(3)}${SPACE}${unit}`;
  return String(value);
}

/** `75.3` as `1 min 15 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Three digits, without an exponent where a person needs none: `0.000250`, `1.35`, `2.50e-8`. */
export function number(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return Math.abs(value) < 1e-5 || Math.abs(value) >= 1e6 ? value.toExponential(2) : value.toPrecision(3);
}
