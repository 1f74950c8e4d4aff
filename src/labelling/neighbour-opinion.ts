import { nearestNeighbours } from './nearest-neighbours.ts';

/** Neighbours that are asked; few, so that a class of ten images is heard. */
const NEIGHBOURS = 10;
/** Of the cosine: how much nearer neighbours count for more. Iscen et al. 2019's. */
const GAMMA = 3;
/** What is certain before a neighbour is asked, as a share of all that they say: nothing becomes impossible. */
const SMOOTHING = 0.1;

/**
 * What the nearest images of each image are labelled, their say weighted by cosine³: [N, K], rows of sum 1. No image hears itself, nor
 * another of its group.
 * @param embeddings [N, D]
 * @param groups [N] copies of each other have one number
 */
export async function neighbourOpinion(
  embeddings: Float32Array,
  labels: readonly number[],
  classes: number,
  groups?: readonly number[],
  signal?: AbortSignal,
): Promise<Float64Array> {
  const rows = labels.length;
  const width = embeddings.length / rows;
  const sizes = new Map<number, number>();
  for (const group of groups ?? []) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const asked = Math.min(rows - 1, NEIGHBOURS + Math.max(0, ...sizes.values()) - (groups === undefined ? 0 : 1));
  const { indices, similarities } = await nearestNeighbours(embeddings, width, asked, signal);
  const opinion = new Float64Array(rows * classes);
  for (let i = 0; i < rows; i++) {
    let [heard, total] = [0, 0];
    for (let j = i * asked; j < (i + 1) * asked && heard < NEIGHBOURS; j++) {
      const other = indices[j]!;
      if (groups !== undefined && groups[other] === groups[i]) continue;
      const weight = Math.max(0, similarities[j]!) ** GAMMA;
      opinion[i * classes + labels[other]!]! += weight;
      total += weight;
      heard++;
    }
    for (let k = i * classes; k < (i + 1) * classes; k++)
      opinion[k] = total > 0 ? (opinion[k]! / total + SMOOTHING / classes) / (1 + SMOOTHING) : 1 / classes;
  }
  return opinion;
}
