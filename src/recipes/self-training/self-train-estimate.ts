import { onPixels } from '../network.ts';
import { outputsOf } from '../outputs.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { RoundsNetwork } from './self-train-networks.ts';
import { studentPlan } from './student.ts';
import type { Workshop } from '../workshop.ts';
import { workshopFor } from '../workshop-for.ts';

/** What a step costs an image, in inferences of it: between 4 and 7 for the networks that `bench` measures. */
const STEP_COST = 6;
/** Enough for a rate. */
const TRIED_IMAGES = 32;

/**
 * How long all rounds may take, from the time that labelling takes here and now.
 * @param folds that rounds are judged on
 * @returns seconds, for a person only: nothing depends on it
 */
export async function estimateSeconds(
  workshop: Workshop,
  options: ResolvedSelfTrainOptions,
  data: TrainingData,
  networks: readonly RoundsNetwork[],
  folds: number,
): Promise<number> {
  const pool = { labelled: data.train.length, unlabelled: data.unlabeled.length };
  const samples = data.train.slice(0, TRIED_IMAGES);
  const known = new Map<RoundsNetwork, number>();
  let seconds = 0;
  for (const network of networks) {
    const perImage = known.get(network) ?? (await inference(workshop, network, samples));
    known.set(network, perImage);
    const [student, ofFold] = [false, true].map((isFold) => studentPlan(options, network.options, pool, isFold));
    const labelled = pool.unlabelled + folds * Math.min(pool.unlabelled, ofFold!.images);
    const trained = student!.images + folds * ofFold!.images;
    seconds += perImage * (STEP_COST * trained + options.views * labelled);
  }
  return seconds;
}

/** Seconds an image. */
async function inference(
  workshop: Workshop,
  { opened, options }: RoundsNetwork,
  samples: TrainingData['train'],
): Promise<number> {
  const { graph, logits, preprocessing } = opened.untrained();
  return workshopFor(workshop, preprocessing, options.maxPixels * 1e6, async ({ engine, crops, signal }) => {
    // Decoded and loaded before it is timed.
    await crops.crops(samples, signal);
    const pixels = onPixels(graph, logits, preprocessing);
    await outputsOf(engine, pixels, crops, samples.slice(0, 1), { stage: 'estimate', signal });
    const start = performance.now();
    await outputsOf(engine, pixels, crops, samples, { stage: 'estimate', signal });
    return (performance.now() - start) / 1000 / samples.length;
  });
}
