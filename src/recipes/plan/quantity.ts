import { InputError } from '../../core/errors.ts';

/** Units of a quantity, each in the smallest that counts. */
type Units = Readonly<Record<string, number>>;

/** Seconds. */
export const DURATION: Units = { s: 1, m: 60, h: 3600 };
/** Bytes. */
export const FILE_SIZE: Units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };
/** Milliseconds. */
export const LATENCY: Units = { ms: 1, s: 1000 };

/**
 * A number with its unit: `10m`, `5MB`, `20ms`. A number alone is in the first unit.
 * @param what the option, for messages
 * @throws InputError for anything else, and for what is not above 0
 * @example
 * parseQuantity('10m', DURATION, '--budget'); // 600
 */
export function parseQuantity(given: string | number, units: Units, what: string): number {
  const names = Object.keys(units);
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(given).trim());
  const unit = names.find((name) => name.toLowerCase() === (match?.[2] || names[0]!).toLowerCase());
  const value = match === null || unit === undefined ? Number.NaN : Number(match[1]) * units[unit]!;
  if (!(value > 0))
    throw new InputError(
      `${what} ${given}: expected a number above 0 and one of ${names.join(', ')}, as "10${names[1]}".`,
    );
  return value;
}
