import { setImmediate } from 'node:timers/promises';
import { AbortedError } from '../core/errors.ts';

export interface Neighbours {
  /** [N, k] rows by falling similarity, never the row itself. */
  readonly indices: Int32Array;
  /** [N, k] cosine, -1..1. */
  readonly similarities: Float32Array;
}

/** Rows of a block: two blocks of 1,280 features stay in a core's own cache. */
const BLOCK = 64;

/**
 * The exact k nearest rows of each row by cosine. Blocks are compared with each other once, so the work is N²/2 products
 * of D numbers, and the memory beside the embeddings is 8 N k bytes.
 * @param embeddings [N, D] float32; a row of zeros is similar to none (0)
 * @param k at most N - 1
 * @throws RangeError where sizes disagree; AbortedError once the signal fires
 */
export async function nearestNeighbours(
  embeddings: Float32Array,
  width: number,
  k: number,
  signal?: AbortSignal,
): Promise<Neighbours> {
  const rows = embeddings.length / width;
  if (!Number.isInteger(rows))
    throw new RangeError(`Expected [N, ${width}] embeddings, got ${embeddings.length} numbers.`);
  if (!Number.isInteger(k) || k < 1 || k >= rows)
    throw new RangeError(`Of ${rows} rows, expected 1 to ${rows - 1} neighbours, got ${k}.`);
  const scales = Float64Array.from({ length: rows }, (_, row) => {
    let square = 0;
    for (let f = row * width; f < (row + 1) * width; f++) square += embeddings[f]! ** 2;
    if (!Number.isFinite(square)) throw new RangeError(`Row ${row} of the embeddings is not finite.`);
    return square > 0 ? 1 / Math.sqrt(square) : 0;
  });
  const indices = new Int32Array(rows * k).fill(-1);
  const similarities = new Float32Array(rows * k).fill(-Infinity);
  const offer = (row: number, other: number, similarity: number): void => {
    let at = row * k + k - 1;
    if (!(similarity > similarities[at]!)) return;
    for (; at > row * k && similarities[at - 1]! < similarity; at--) {
      similarities[at] = similarities[at - 1]!;
      indices[at] = indices[at - 1]!;
    }
    similarities[at] = similarity;
    indices[at] = other;
  };
  const products = new Float64Array(BLOCK * BLOCK);
  for (let a = 0; a < rows; a += BLOCK) {
    const aEnd = Math.min(a + BLOCK, rows);
    for (let b = a; b < rows; b += BLOCK) {
      const bEnd = Math.min(b + BLOCK, rows);
      multiplyBlocks(embeddings, width, [a, aEnd], [b, bEnd], products);
      for (let i = a; i < aEnd; i++)
        for (let j = a === b ? i + 1 : b; j < bEnd; j++) {
          const similarity = products[(i - a) * BLOCK + j - b]! * scales[i]! * scales[j]!;
          offer(i, j, similarity);
          offer(j, i, similarity);
        }
    }
    // Lets a signal through.
    await setImmediate();
    if (signal?.aborted) throw new AbortedError('Stopped while comparing embeddings.');
  }
  return { indices, similarities };
}

/** Products of the rows of two blocks, four by two: each number read serves several products. */
function multiplyBlocks(
  x: Float32Array,
  width: number,
  [a, aEnd]: readonly [number, number],
  [b, bEnd]: readonly [number, number],
  products: Float64Array,
): void {
  for (let i = a; i < aEnd; i += 4)
    for (let j = b; j < bEnd; j += 2) {
      // At the end of a block its last row is taken again, and lands in a place that nobody reads.
      const p = i * width;
      const q = Math.min(i + 1, aEnd - 1) * width;
      const r = Math.min(i + 2, aEnd - 1) * width;
      const s = Math.min(i + 3, aEnd - 1) * width;
      const t = j * width;
      const u = Math.min(j + 1, bEnd - 1) * width;
      let pt = 0;
      let pu = 0;
      let qt = 0;
      let qu = 0;
      let rt = 0;
      let ru = 0;
      let st = 0;
      let su = 0;
      for (let f = 0; f < width; f++) {
        const one = x[t + f]!;
        const other = x[u + f]!;
        pt += x[p + f]! * one;
        pu += x[p + f]! * other;
        qt += x[q + f]! * one;
        qu += x[q + f]! * other;
        rt += x[r + f]! * one;
        ru += x[r + f]! * other;
        st += x[s + f]! * one;
        su += x[s + f]! * other;
      }
      const at = (i - a) * BLOCK + j - b;
      products[at] = pt;
      products[at + 1] = pu;
      products[at + BLOCK] = qt;
      products[at + BLOCK + 1] = qu;
      products[at + 2 * BLOCK] = rt;
      products[at + 2 * BLOCK + 1] = ru;
      products[at + 3 * BLOCK] = st;
      products[at + 3 * BLOCK + 1] = su;
    }
}
