import { randomStream } from '../core/random.ts';

const ROUNDS = 8;

/** Maps rows to their coordinates along the directions of most variance. */
export interface Projection {
  readonly apply: (row: ArrayLike<number>) => Float64Array;
}

/**
 * The leading principal components, by subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4).
 * @param rows [n, size] @param count of components, at most size and n - 1
 */
export function principalComponents(rows: readonly ArrayLike<number>[], count: number): Projection {
  const size = rows[0]!.length;
  const mean = new Float64Array(size);
  for (const row of rows) for (let f = 0; f < size; f++) mean[f]! += row[f]! / rows.length;
  const centred = rows.map((row) => Float64Array.from({ length: size }, (_, f) => row[f]! - mean[f]!));
  const components = Math.min(count, size, Math.max(1, rows.length - 1));
  const stream = randomStream('principal components', size, components);
  let basis = Array.from({ length: components }, () => Float64Array.from({ length: size }, () => stream.normal()));
  for (let round = 0; round < ROUNDS; round++) {
    const next = basis.map(() => new Float64Array(size));
    for (const row of centred)
      for (const [k, direction] of basis.entries()) {
        const along = dot(row, direction);
        const sum = next[k]!;
        for (let f = 0; f < size; f++) sum[f]! += along * row[f]!;
      }
    basis = orthonormal(next);
  }
  return {
    apply(row) {
      const own = Float64Array.from({ length: size }, (_, f) => row[f]! - mean[f]!);
      return Float64Array.from(basis, (direction) => dot(own, direction));
    },
  };
}

/** Gram and Schmidt, as modified. */
function orthonormal(vectors: Float64Array<ArrayBuffer>[]): Float64Array<ArrayBuffer>[] {
  for (const [k, vector] of vectors.entries()) {
    for (const before of vectors.slice(0, k)) {
      const along = dot(vector, before);
      for (let f = 0; f < vector.length; f++) vector[f]! -= along * before[f]!;
    }
    const norm = Math.sqrt(dot(vector, vector));
    for (let f = 0; f < vector.length; f++) vector[f] = norm < 1e-9 ? 0 : vector[f]! / norm;
  }
  return vectors;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let f = 0; f < a.length; f++) sum += a[f]! * b[f]!;
  return sum;
}
