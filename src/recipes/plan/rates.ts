import { answerSeconds, STEP_COST } from '../workshop/answer-seconds.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { Pace, type PlannedWork } from './pace.ts';
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
  const key = networkKey(opened);
  const known = times.secondsOf(what, key);
  if (known !== undefined) return known;
  const measured = await times.measured(what, key, () =>
    workshopFor(workshop, opened.preprocessing, options.train.maxPixels * 1e6, (own) =>
      trainingSeconds(own, opened, train, data),
    ),
  );
  return measured * UNTRIED;
}

/** What a stage took, by what a few of its steps took before: caches are cold, and files are written. Between 1.1 and 1.3 where it was tried. */
const UNTRIED = 1.2;

/** The same without a measurement, from how long answers take: for what is not begun yet. */
export function guessedRate({ times }: RateSite, what: Timed, opened: OpenedNetwork, answer: number): number {
  return times.secondsOf(what, networkKey(opened)) ?? STEP_COST * answer;
}

/** What a stage made, the seconds it took, and the share of its images that was left out to end in time (below 0: there were more). */
export interface Done<T> {
  readonly value: T;
  readonly seconds: number;
  readonly leftOut: number;
}

/**
 * Does a stage within its time, and keeps how long it took for the next plan's estimates, unless it was begun before.
 * @param stage of the plan
 * @param of how many images it trains on, and the seconds that are expected for all else
 */
export async function timedStage<T>(
  site: PlanSite,
  stage: string,
  { what, opened, isNew }: { readonly what: Timed; readonly opened: OpenedNetwork; readonly isNew: boolean },
  of: PlannedWork,
  work: (workshop: Workshop) => Promise<T>,
): Promise<Done<T>> {
  const start = performance.now();
  const pace = new Pace(site, stage, of);
  const value = await work(pace.workshop);
  const seconds = (performance.now() - start) / 1000;
  const { leftOut } = pace;
  const trained = seconds - of.besides;
  if (isNew && trained > 0) await site.times.add(what, networkKey(opened), trained, (1 - leftOut) * of.images);
  return { value, seconds, leftOut };
}
