/** A table with one function for all channels: [3, 256], rounded and clamped to 0..255. */
export function sameTable(f: (value: number) => number): Uint8Array {
  const table = new Uint8Array(768);
  for (let value = 0; value < 256; value++) table[value] = table[256 + value] = table[512 + value] = toByte(f(value));
  return table;
}

/** @param f of a value, 0..255, and a channel, 0..2 */
export function channelTable(f: (value: number, channel: number) => number): Uint8Array {
  const table = new Uint8Array(768);
  for (let i = 0; i < 768; i++) table[i] = toByte(f(i & 255, i >> 8));
  return table;
}

/** A table's share of the result; the rest is the image as it was. */
export function blendedTable(table: Uint8Array, amount: number): Uint8Array {
  return channelTable((value, channel) => value + amount * (table[channel * 256 + value]! - value));
}

function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}
