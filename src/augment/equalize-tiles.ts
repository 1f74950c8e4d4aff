import type { Size } from '../images/pixels.ts';
import { reflected } from './reflect.ts';

/**
 * CLAHE of one channel, in whole numbers as in OpenCV: of each tile a table that makes its values equally frequent, counts above the limit being
 * spread over all values; between the centres of tiles their tables are blended.
 * @param values [height, width]
 * @param into where the result goes, of the same shape; another array than `values`
 */
export function equalizeTiles(values: Uint8Array, size: Size, clip: number, tiles: number, into: Uint8Array): void {
  const { width, height } = size;
  const isEven = width % tiles === 0 && height % tiles === 0;
  // OpenCV adds a whole tile's worth to the side that would have needed none.
  const extended = (side: number): number => (isEven ? side : side + tiles - (side % tiles));
  const tile = { width: extended(width) / tiles, height: extended(height) / tiles };
  const area = tile.width * tile.height;
  const limit = Math.max(1, Math.floor((clip * area) / 256));
  const tables = new Uint8Array(tiles * tiles * 256);
  const counts = new Int32Array(256);
  for (let row = 0; row < tiles; row++)
    for (let column = 0; column < tiles; column++) {
      counts.fill(0);
      for (let y = row * tile.height; y < (row + 1) * tile.height; y++) {
        const start = reflected(y, height) * width;
        for (let x = column * tile.width; x < (column + 1) * tile.width; x++)
          counts[values[start + (x < width ? x : reflected(x, width))]!]!++;
      }
      clipCounts(counts, limit);
      const at = (row * tiles + column) * 256;
      for (let value = 0, sum = 0; value < 256; value++) {
        sum += counts[value]!;
        tables[at + value] = Math.min(255, Math.round((sum * 255) / area));
      }
    }
  blendTables(values, size, tables, tiles, tile, into);
}

function clipCounts(counts: Int32Array, limit: number): void {
  let excess = 0;
  for (let value = 0; value < 256; value++) {
    const over = counts[value]! - limit;
    if (over <= 0) continue;
    excess += over;
    counts[value] = limit;
  }
  const each = Math.floor(excess / 256);
  let rest = excess - each * 256;
  for (let value = 0; value < 256; value++) counts[value]! += each;
  const step = Math.max(1, Math.floor(256 / Math.max(1, rest)));
  for (let value = 0; value < 256 && rest > 0; value += step, rest--) counts[value]!++;
}

function blendTables(
  values: Uint8Array,
  { width, height }: Size,
  tables: Uint8Array,
  tiles: number,
  tile: Size,
  into: Uint8Array,
): void {
  const columns = Array.from({ length: width }, (_, x) => neighbours(x, tile.width, tiles));
  const lefts = Int32Array.from(columns, ({ first }) => first * 256);
  const rights = Int32Array.from(columns, ({ second }) => second * 256);
  const shares = Float64Array.from(columns, ({ share }) => share);
  for (let y = 0, at = 0; y < height; y++) {
    const { first, second, share } = neighbours(y, tile.height, tiles);
    const [upper, lower] = [first * tiles * 256, second * tiles * 256];
    for (let x = 0; x < width; x++, at++) {
      const value = values[at]!;
      const [left, right] = [lefts[x]! + value, rights[x]! + value];
      const above = tables[upper + left]! + shares[x]! * (tables[upper + right]! - tables[upper + left]!);
      const below = tables[lower + left]! + shares[x]! * (tables[lower + right]! - tables[lower + left]!);
      into[at] = above + share * (below - above) + 0.5;
    }
  }
}

/** The tiles whose centres a pixel lies between, and how far it is on the way to the second. */
function neighbours(at: number, side: number, tiles: number): { first: number; second: number; share: number } {
  const place = at / side - 0.5;
  const first = Math.floor(place);
  return { first: Math.max(0, first), second: Math.min(tiles - 1, first + 1), share: place - first };
}
