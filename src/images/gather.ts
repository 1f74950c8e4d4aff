import type { Pixels, Rgb } from './pixels.ts';
import { indexOf, type Surroundings } from './sample.ts';

/** Which column (or row) of a source each column (or row) of a result is: `at(i)`, taken into the source by what lies around it. */
export function indices(count: number, side: number, around: Surroundings, at: (i: number) => number): Int32Array {
  const found = new Int32Array(count);
  for (let i = 0; i < count; i++) found[i] = indexOf(at(i), side, around);
  return found;
}

/**
 * Copies pixels of whole columns and rows: crops, flips, quarter turns, nearest neighbours.
 * @param xs columns of the source, -1 where `colour` stands: one for each column of the result, or for each of its rows if `swapped`
 * @param ys rows of the source, likewise
 */
export function gather(
  source: Pixels,
  xs: Int32Array,
  ys: Int32Array,
  swapped: boolean,
  colour: Rgb,
  into: Pixels,
): void {
  const { data } = source;
  const result = into.data;
  const across = Int32Array.from(swapped ? ys : xs, (index) =>
    index < 0 ? -1 : index * 3 * (swapped ? source.width : 1),
  );
  const down = Int32Array.from(swapped ? xs : ys, (index) =>
    index < 0 ? -1 : index * 3 * (swapped ? 1 : source.width),
  );
  const run = longestRun(across);
  for (let y = 0, to = 0; y < into.height; y++) {
    const start = down[y]!;
    for (let x = 0; x < into.width; x++, to += 3) {
      if (x === run.from && start >= 0 && run.to > run.from) {
        const at = start + across[x]!;
        const bytes = (run.to - run.from) * 3;
        result.set(data.subarray(at, at + bytes), to);
        to += bytes - 3;
        x = run.to - 1;
        continue;
      }
      const at = across[x]!;
      if (at < 0 || start < 0) {
        result[to] = colour[0];
        result[to + 1] = colour[1];
        result[to + 2] = colour[2];
      } else {
        result[to] = data[start + at]!;
        result[to + 1] = data[start + at + 1]!;
        result[to + 2] = data[start + at + 2]!;
      }
    }
  }
}

/** The longest stretch of neighbours in their order, which can be copied as it is; none where it is short. */
function longestRun(offsets: Int32Array): { from: number; to: number } {
  let best = { from: 0, to: 0 };
  for (let from = 0; from < offsets.length;) {
    let to = from + 1;
    while (to < offsets.length && offsets[from]! >= 0 && offsets[to] === offsets[to - 1]! + 3) to++;
    if (to - from > best.to - best.from) best = { from, to };
    from = to;
  }
  return best.to - best.from >= 8 ? best : { from: 0, to: 0 };
}
