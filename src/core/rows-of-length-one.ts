/** Embeddings of zeros have no direction. */
export const LEAST_LENGTH = 1e-12;

/** @param data [N, width] @returns [N, width] each row divided by its length */
export function rowsOfLengthOne(data: Float32Array, width: number): Float64Array {
  const result = Float64Array.from(data);
  for (let from = 0; from < result.length; from += width) {
    let square = 0;
    for (let j = from; j < from + width; j++) square += result[j]! ** 2;
    const scale = 1 / Math.max(Math.sqrt(square), LEAST_LENGTH);
    for (let j = from; j < from + width; j++) result[j]! *= scale;
  }
  return result;
}
