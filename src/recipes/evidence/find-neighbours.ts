import type { Embed } from '../results/outlier-scoring.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { LabelledImages } from './evidence.ts';
import { nearestRows } from '../nearest-rows.ts';

/** Of each kind, beside a label. */
const NEIGHBOURS = 3;

/** The images most alike each unlabelled one, as a network embeds them. */
export async function findNeighbours(
  { engine, signal }: Pick<Workshop, 'engine' | 'signal'>,
  embed: Embed,
  { train, unlabeled }: Pick<TrainingData, 'train' | 'unlabeled'>,
): Promise<LabelledImages['neighbours']> {
  const [asked, labelled] = [await embed(unlabeled), await embed(train)];
  const cancel = signal ? { signal } : {};
  return {
    labelled: await nearestRows(engine, asked, labelled, NEIGHBOURS, false, cancel),
    machine: await nearestRows(engine, asked, asked, NEIGHBOURS, true, cancel),
  };
}
