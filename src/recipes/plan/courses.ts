import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { abstainThreshold } from '../../evaluate/abstain.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { writeModel } from '../results/write-model.ts';
import { distillAttempt } from './distill-attempt.ts';
import { isTriedFirst } from './facts.ts';
import { finetuneAttempt } from './finetune-attempt.ts';
import { timeOf, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly, probeAttempt } from './probe-attempt.ts';
import { accuracyOf } from './rank-backbones.ts';
import { trainingRate } from './rates.ts';
import { confusedPairs, isAtChance, knowsLittle, remark } from './remarks.ts';
import { fixmatchAttempt, supervisedAttempt } from './scratch-attempts.ts';
import { selfTrainAttempt } from './self-train-attempt.ts';
import { spreadAttempt, withSpread } from './spread-attempt.ts';

/**
 * Transfer: the head, then what may be better and has time.
 * @param teachers whose probes label together; none: the candidate's own
 */
export async function fromBackbone(
  site: PlanSite,
  candidate: Candidate,
  teachers: readonly Candidate[],
): Promise<Attempt[]> {
  const { opened } = candidate;
  const probe = await within(site, opened, async (at) => {
    const first = await probeAttempt(at, candidate);
    await exportFirst(at, first);
    return first;
  });
  const { held } = probe;
  if (held !== undefined && !isAtChance(held)) for (const pair of confusedPairs(held)) remark(site, pair);
  const isTried = await site.decisions.decide('finetune-first', async () => {
    if (held === undefined || site.facts.withoutUnlabelled !== undefined) return false;
    const rate = await trainingRate(site, 'finetune', await openedQuietly(site, candidate.spec, {}));
    return isTriedFirst(timeOf(site), site.facts, rate, site.data.validation.length > 0);
  });
  if (held !== undefined && (isTried || knowsLittle(held)))
    return adapted(site, candidate, teachers, { ...probe, held });
  return within(site, opened, async (at) => {
    const attempts = [probe];
    const selfTrained = await selfTrainAttempt(at, candidate, teachers);
    if (selfTrained !== undefined) attempts.push(selfTrained);
    // A student has learnt from the labels, too: fine-tuning on these alone is for where there is none.
    if (selfTrained?.isKept !== true) {
      const tuned = await finetuneAttempt(at, candidate, probe);
      if (tuned !== undefined) attempts.push(tuned);
    }
    return attempts;
  });
}

/** Errors of the difference by which a fine-tuned network must be right more often than the probe, to teach in its stead. */
const CLEARLY = 1.5;

/**
 * Where a head on the backbone's features knows little, or it takes little to see whether that is so: all of the network is trained
 * first, and teaches where it knows more. Where the head is no better than chance, and that network neither, the plan goes on from random weights.
 */
async function adapted(
  site: PlanSite,
  candidate: Candidate,
  teachers: readonly Candidate[],
  probe: Attempt & { readonly held: HeldOutPredictions },
): Promise<Attempt[]> {
  const { opened } = candidate;
  const right = `${(100 * accuracyOf(probe.held)).toFixed(1)} % right out of fold`;
  const isLost = isAtChance(probe.held);
  if (knowsLittle(probe.held))
    remark(
      site,
      isLost
        ? `The features of ${basename(candidate.spec)} tell the classes apart no better than chance (${right}): the images are of another domain than it was trained on, or the labels do not fit them. All of it is trained, not its head alone; another --backbone may help more.`
        : `The features of ${basename(candidate.spec)} tell the classes apart only in part (${right}): all of it is trained, not its head alone.`,
    );
  return within(site, opened, async (at) => {
    const tuned = await finetuneAttempt(at, candidate, probe);
    const attempts = tuned === undefined ? [probe] : [probe, tuned];
    const seen = tuned?.judgement?.seen;
    const knowsMore = tuned?.isKept === true && (seen === undefined || seen.mean > CLEARLY * seen.error);
    if (isLost && (!knowsMore || (tuned.held !== undefined && isAtChance(tuned.held)))) {
      const { opened: scratch } = await openedQuietly(site, undefined, {});
      const facts = await withSpread(site);
      return [...attempts, ...(await fromScratch({ ...site, facts }, scratch, probe))];
    }
    const student = await selfTrainAttempt(at, candidate, teachers, knowsMore ? 'finetune' : 'probe');
    return student === undefined ? attempts : [...attempts, student];
  });
}

/** From random weights: on labels alone, then on all images. @param probe that was no better than chance */
export function fromScratch(site: PlanSite, opened: OpenedNetwork, probe?: Attempt): Promise<Attempt[]> {
  return within(site, opened, async (at) => {
    const supervised = await supervisedAttempt(at, probe);
    const { isKept } = supervised;
    if (isKept) await exportFirst(at, supervised);
    const further =
      (await spreadAttempt(at, supervised)) ?? (isKept ? await fixmatchAttempt(at, supervised) : undefined);
    return further === undefined ? [supervised] : [supervised, further];
  });
}

/** On images as the network takes them. */
export function within<T>(
  site: PlanSite,
  { preprocessing }: Pick<OpenedNetwork, 'preprocessing'>,
  use: (site: PlanSite) => Promise<T>,
): Promise<T> {
  return workshopFor(site.workshop, preprocessing, site.options.train.maxPixels * 1e6, (workshop) =>
    use({ ...site, workshop }),
  );
}

/** A usable model while further stages are at work. */
async function exportFirst(site: PlanSite, attempt: Attempt): Promise<void> {
  const file = site.run.file('model.onnx');
  if (existsSync(file)) return;
  await exportModel(site, attempt);
  site.workshop.onProgress?.({
    type: 'note',
    message: `A first model is there (${attempt.stage}): ${file}. What is better replaces it at the end.`,
  });
}

async function exportModel({ run, workshop, options, data }: PlanSite, attempt: Attempt): Promise<void> {
  const { calibration, network } = attempt;
  const temperature = calibration === undefined ? 1 : fitTemperature(calibration).temperature;
  const abstain = calibration && abstainThreshold(calibration, options.train.abstainPrecision, temperature);
  const request = { network, data, options: { ...options.train, variants: [] }, method: 'plan' };
  await writeModel(run, workshop, request, { temperature, abstain }, data.train.slice(0, 6));
}

/** The best so far as a teacher. */
export async function distilled(site: PlanSite, student: Candidate, attempts: readonly Attempt[]): Promise<Attempt> {
  const best = attempts.findLast(({ isKept }) => isKept)!;
  await within(site, best.network, (at) => exportModel(at, best));
  return within(site, student.opened, (at) => distillAttempt(at, student, best, site.run.file('model.onnx')));
}
