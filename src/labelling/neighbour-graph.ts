import type { Neighbours } from './nearest-neighbours.ts';

/** A symmetric sparse matrix [N, N] by rows: the entries of row i are those from `starts[i]` to `starts[i + 1]`. */
export interface NeighbourGraph {
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly weights: Float64Array;
}

/**
 * D^(-1/2) (A + Aᵀ) D^(-1/2), A having max(cosine, 0)^gamma at each row's nearest neighbours and D the sums of the rows of
 * A + Aᵀ (Iscen et al. 2019, arXiv:1904.04717, eq. 9 and 3.3; Zhou et al. 2004).
 */
export function neighbourGraph({ indices, similarities }: Neighbours, rows: number, gamma: number): NeighbourGraph {
  const k = indices.length / rows;
  const edges: Map<number, number>[] = Array.from({ length: rows }, () => new Map<number, number>());
  const add = (from: number, to: number, weight: number): void => {
    edges[from]!.set(to, (edges[from]!.get(to) ?? 0) + weight);
  };
  for (const [at, other] of indices.entries()) {
    const weight = Math.max(similarities[at]!, 0) ** gamma;
    if (weight === 0) continue;
    add(Math.floor(at / k), other, weight);
    add(other, Math.floor(at / k), weight);
  }
  const degrees = edges.map((own) => [...own.values()].reduce((sum, weight) => sum + weight, 0));
  const starts = new Int32Array(rows + 1);
  for (const [row, own] of edges.entries()) starts[row + 1] = starts[row]! + own.size;
  const columns = new Int32Array(starts[rows]!);
  const weights = new Float64Array(starts[rows]!);
  for (const [row, own] of edges.entries()) {
    let at = starts[row]!;
    for (const [other, weight] of own) {
      columns[at] = other;
      weights[at++] = weight / Math.sqrt(degrees[row]! * degrees[other]!);
    }
  }
  return { starts, columns, weights };
}
