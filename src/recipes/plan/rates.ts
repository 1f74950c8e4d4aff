import { answerSeconds, STEP_COST } from '../workshop/answer-seconds.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { networkKey, type PlanSite } from './plan-site.ts';
import type { Timed } from './stage-times.ts';
import { trainingSeconds } from './training-seconds.ts';

/** Where rates are looked up or measured. */
export type RateSite = Pick<PlanSite, 'workshop' | 'options' | 'data' | 'times'>;

/** Seconds in which a network answers an image: as it was before on this machine, else measured. */
export async function answerRate({ workshop, options, data, times }: RateSite, opened: OpenedNetwork): Promise<number> {
  const key = networkKey(opened);
  const known = times.secondsOf('answer', key);
  if (known !== undefined) return known;
  const seconds = await answerSeconds(workshop, opened.untrained(), data.train, options.train.maxPixels * 1e6);
  await times.add('answer', key, seconds, 1);
  return seconds;
}

/** Seconds an image of training: as it was before on this machine, else measured by some steps. */
export async function trainingRate(
  { workshop, options, data, times }: RateSite,
  what: Timed,
  { opened, train }: { readonly opened: OpenedNetwork; readonly train: ResolvedTrainOptions },
): Promise<number> {
  const known = times.secondsOf(what, networkKey(opened));
  if (known !== undefined) return known;
  const measured = await workshopFor(workshop, opened.preprocessing, options.train.maxPixels * 1e6, (own) =>
    trainingSeconds(own, opened, train, data),
  );
  return measured * UNTRIED;
}

/** What a stage took, by what a few of its steps took before: caches are cold, and files are written. Between 1.1 and 1.3 where it was tried. */
const UNTRIED = 1.2;

/** The same without a measurement, from how long answers take: for what is not begun yet. */
export function guessedRate({ times }: RateSite, what: Timed, opened: OpenedNetwork, answer: number): number {
  return times.secondsOf(what, networkKey(opened)) ?? STEP_COST * answer;
}

/**
 * Does a stage and keeps how long it took for the next plan's estimates, unless it was begun before.
 * @param of how many images it trained on, and the seconds that were expected for all else
 */
export async function timedStage<T>(
  { times }: Pick<PlanSite, 'times'>,
  what: Timed,
  opened: OpenedNetwork,
  of: { readonly isNew: boolean; readonly images: number; readonly besides: number },
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seconds: number }> {
  const start = performance.now();
  const value = await work();
  const seconds = (performance.now() - start) / 1000;
  const trained = seconds - of.besides;
  if (of.isNew && trained > 0) await times.add(what, networkKey(opened), trained, of.images);
  return { value, seconds };
}
