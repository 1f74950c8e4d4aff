import type { Predictions } from '../../evaluate/predictions.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { outputsOf } from './outputs.ts';
import type { TrainingData } from '../prepare-data.ts';

/** Predictions on images that the network was not trained on, and which images these are, in words. */
export type HeldOutPredictions = Predictions & {
  readonly foundOn: string;
  /** [N] how little each is like the classes, by what has not seen it either. */
  readonly outliers?: Float32Array | undefined;
};

/** Logits of labelled images, by evaluation's path. */
export async function predictionsOf(
  { engine, crops, onProgress, signal, track }: Workshop,
  network: Network,
  { classes }: Pick<TrainingData, 'classes'>,
  samples: TrainingData['train'],
  foundOn: string,
): Promise<HeldOutPredictions> {
  const graph = onPixels(network.graph, network.logits, network.preprocessing);
  const logits = await outputsOf(engine, graph, crops, samples, { stage: 'predict', onProgress, signal, track });
  return {
    classes,
    logits: logits.data as Float32Array,
    labels: samples.map(({ label }) => label),
    ids: samples.map(({ id }) => id),
    foundOn,
  };
}
