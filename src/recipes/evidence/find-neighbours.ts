import type { Embedded } from '../../evaluate/outliers.ts';
import type { Network } from '../network.ts';
import { embeddingsOf } from '../self-training/labeller.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { Workshop } from '../workshop.ts';
import type { LabelledImages } from './evidence.ts';
import { nearestRows } from '../nearest-rows.ts';

/** Of each kind, beside a label. */
const NEIGHBOURS = 3;

/** The images most alike each unlabelled one, by a network's embedding. */
export async function findNeighbours(
  workshop: Workshop,
  network: Network,
  { train, unlabeled }: Pick<TrainingData, 'train' | 'unlabeled'>,
  maxPixels: number,
): Promise<LabelledImages['neighbours']> {
  const embedded = async (samples: typeof unlabeled): Promise<Embedded> => {
    const { data, shape } = await embeddingsOf(workshop, network, samples, maxPixels);
    return { data: data as Float32Array, width: shape[1]! };
  };
  const [asked, labelled] = [await embedded(unlabeled), await embedded(train)];
  const cancel = workshop.signal ? { signal: workshop.signal } : {};
  return {
    labelled: await nearestRows(workshop.engine, asked, labelled, NEIGHBOURS, false, cancel),
    machine: await nearestRows(workshop.engine, asked, asked, NEIGHBOURS, true, cancel),
  };
}
