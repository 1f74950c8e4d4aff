import { quantizationAt } from './jpeg-quantization.ts';

/** The place of each entry of a file's table, which runs along the diagonals, among the 64 of a block, row by row. */
const ZIGZAG: readonly number[] = Array.from({ length: 64 }, (_, i) => i).toSorted((a, b) => {
  const [diagonalA, diagonalB] = [(a >> 3) + (a & 7), (b >> 3) + (b & 7)];
  // Even diagonals run upwards, odd ones downwards.
  return diagonalA - diagonalB || (diagonalA % 2 === 0 ? b - a : a - b);
});

/**
 * The quality, 1 to 100 on the scale of the Independent JPEG Group's library, whose luminance table is nearest to the
 * file's: exact for files written by that scale, the nearest in strength for others (cameras have tables of their own).
 * @param bytes of a JPEG, at least up to its first scan
 * @returns undefined where no table is found
 */
export function jpegQuality(bytes: Uint8Array): number | undefined {
  const table = firstTable(bytes);
  if (table === undefined) return undefined;
  let best: { quality: number; distance: number } | undefined;
  for (let quality = 100; quality >= 1; quality--) {
    const { luma } = quantizationAt(quality);
    let distance = 0;
    // By ratio: a table twice as coarse is as far off as one twice as fine.
    for (let i = 0; i < 64; i++) distance += Math.abs(Math.log(table[i]! / luma[ZIGZAG[i]!]!));
    if (best === undefined || distance < best.distance) best = { quality, distance };
  }
  return best?.quality;
}

/** The quantisation table of number 0, which luminance uses by convention. */
function firstTable(bytes: Uint8Array): readonly number[] | undefined {
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1]!;
    if (marker === 0xda || marker === 0xd9) return undefined;
    if (marker === 0 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    const end = Math.min(bytes.length, at + 2 + bytes[at + 2]! * 256 + bytes[at + 3]!);
    if (marker === 0xdb)
      for (let table = at + 4; table < end;) {
        const [wide, number] = [bytes[table]! >> 4 !== 0, bytes[table]! & 15];
        const length = wide ? 128 : 64;
        if (table + 1 + length > end) return undefined;
        if (number === 0)
          return Array.from({ length: 64 }, (_, i) =>
            Math.max(1, wide ? bytes[table + 1 + 2 * i]! * 256 + bytes[table + 2 + 2 * i]! : bytes[table + 1 + i]!),
          );
        table += 1 + length;
      }
    at = end;
  }
  return undefined;
}
