/** Annex K of ISO/IEC 10918-1: the luminance table that quality 50 uses, in zigzag order as files hold it. */
const LUMINANCE = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];

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
    const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    let distance = 0;
    for (let i = 0; i < 64; i++) {
      const entry = Math.min(255, Math.max(1, Math.floor((LUMINANCE[i]! * scale + 50) / 100)));
      // By ratio: a table twice as coarse is as far off as one twice as fine.
      distance += Math.abs(Math.log(table[i]! / entry));
    }
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
