import { answerSeconds, STEP_COST } from '../workshop/answer-seconds.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { RoundsNetwork } from './self-train-networks.ts';
import { studentPlan } from './student.ts';
import type { Workshop } from '../workshop/workshop.ts';

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
  const known = new Map<RoundsNetwork, number>();
  let seconds = 0;
  for (const network of networks) {
    const perImage =
      known.get(network) ??
      (await answerSeconds(workshop, network.opened.untrained(), data.train, network.options.maxPixels * 1e6));
    known.set(network, perImage);
    const [student, ofFold] = [false, true].map((isFold) => studentPlan(options, network.options, pool, isFold));
    const labelled = pool.unlabelled + folds * Math.min(pool.unlabelled, ofFold!.images);
    const trained = student!.images + folds * ofFold!.images;
    seconds += perImage * (STEP_COST * trained + options.views * labelled);
  }
  return seconds;
}
