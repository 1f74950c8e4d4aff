import { packageVersion } from '../../core/package-version.ts';
import type { Engine } from '../../runtime/engine.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { inWorkshop, withEngine } from '../workshop/in-workshop.ts';
import { JobProfile } from '../workshop/job-profile.ts';
import { newRunFolder } from '../workshop/new-run-folder.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import { Stages } from '../stages.ts';
import type { ResumeControl, TrainControl } from '../train-control.ts';
import { chooseGradients } from './choose-gradients.ts';
import { chooseTeachers } from './choose-teachers.ts';
import { Decisions, DECISIONS, type PlannedFeatures } from './decisions.ts';
import { factsOf, type Facts } from './facts.ts';
import { openNamed, openPlan, planData, PROBE_FOLDS, type OpenedPlan } from './open-plan.ts';
import { describeOutline, outlineOf } from './outline.ts';
import {
  planFromRun,
  recordedPlan,
  resolvePlanOptions,
  type PlanOptions,
  type ResolvedPlanOptions,
} from './plan-options.ts';
import { tellStage, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { rankBackbones } from './rank-backbones.ts';
import { answerRate, type RateSite } from './rates.ts';
import { chooseSize, type ChosenSize } from './size.ts';
import { DISTILLING_SHARE } from './distill-attempt.ts';
import { withSpread } from './spread-attempt.ts';
import { StageTimes } from './stage-times.ts';
import { distilled, fromBackbone, fromScratch } from './courses.ts';
import { finishPlan, type PlanResult } from './finish-plan.ts';

/** Seconds that the end of a run takes: proof of parity, latency, report, and the scores of three networks. */
export function finishingSeconds({ score }: TrainingData, answer: number): number {
  return 4 + 3 * score.length * answer;
}

/** Chooses among the methods within a budget of time and runs what pays. @throws as `train` */
export async function runPlan(options: PlanOptions, control: TrainControl): Promise<PlanResult> {
  const resolved = resolvePlanOptions(options);
  const start = performance.now();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(control.signal ? [control.signal] : [])]);
  const profile = resolved.train.profile ? new JobProfile() : undefined;
  const reading = planData(resolved, { ...control, signal }, profile);
  reading.catch(() => {});
  try {
    return await withEngine(resolved.train, control, profile?.job, async (engine) => {
      const data = await reading;
      const opened = await openPlan(resolved, data, control);
      const run = await RunFolder.create(resolved.train.out ?? newRunFolder(), {
        dataFingerprint: data.dataset.fingerprint,
        gleaner: packageVersion(),
        method: 'plan',
        ...recordedPlan({ ...resolved, backbones: opened.candidates.map(({ spec }) => spec) }),
      });
      return work(run, engine, { options: resolved, data, opened, control, acceptEngine: false, start, profile });
    });
  } finally {
    stop.abort();
  }
}

/** Continues a plan that was interrupted, on a run that is held. @throws as `resumeTraining` */
export function resumePlan(run: RunFolder, control: ResumeControl): Promise<PlanResult> {
  const options = planFromRun(run.config);
  const start = performance.now();
  const profile = (control.profile ?? options.train.profile) ? new JobProfile() : undefined;
  return withEngine(options.train, control, profile?.job, async (engine) => {
    const data = await planData(options, control, profile);
    run.checkData(data.dataset.fingerprint, control.acceptDataChange ?? false);
    const opened = await openNamed(options, data, control);
    const acceptEngine = control.acceptEngine ?? false;
    return work(run, engine, { options, data, opened, control, acceptEngine, start, profile });
  });
}

interface Job {
  readonly options: ResolvedPlanOptions;
  readonly data: TrainingData;
  readonly opened: OpenedPlan;
  readonly control: TrainControl;
  readonly acceptEngine: boolean;
  readonly profile: JobProfile | undefined;
  /** `performance.now()` at the beginning. */
  readonly start: number;
}

function work(run: RunFolder, engine: Engine, job: Job): Promise<PlanResult> {
  const { options, data, opened, control, acceptEngine, profile, start } = job;
  const { train } = options;
  const request = { options: train, data, control, acceptEngine };
  return inWorkshop(run, engine, opened.base, request, { command: 'train', profile }, async (workshop) => {
    const decisions = await Decisions.open(run.file(DECISIONS), start);
    const times = await StageTimes.open(engine);
    const rates = { workshop, options, data, times };
    const answer = await decisions.decide('answer', () => answerRate(rates, opened.base));
    const facts = await factsWith(rates, opened, decisions);
    const stages = new Stages(run, control, profile?.job);
    const finishing = finishingSeconds(data, answer);
    const site: PlanSite = { run, stages, control, facts, decisions, finishing, ...rates };
    const outline = await decisions.decide('outline', () => outlineOf(site, opened, answer, decisions.spent));
    run.append({ type: 'plan', budget: options.budget, stages: outline });
    control.onProgress?.({ type: 'note', message: describeOutline(outline, options.budget) });
    if (opened.candidates.length === 0) {
      const size = await wantedSize(site, opened.base, []);
      return finishPlan(site, { attempts: await fromScratch(site, opened.base), others: [], size }, start);
    }
    const { candidates } = opened;
    const ranked = candidates.length > 1 ? await rankBackbones(site, candidates) : [];
    const first = ranked[0]?.candidate ?? candidates[0]!;
    const { gradients, others: passedOver } = options.asksForGradients
      ? { gradients: train.gradients, others: [] }
      : await chooseGradients(site, first);
    const joined = { ...site, options: { ...options, train: { ...train, gradients } } };
    const reopened = gradients === train.gradients ? candidates : await reopenedAll(joined, candidates);
    const best = reopened[candidates.indexOf(first)]!;
    await decisions.decide('features', (): PlannedFeatures => ({ backbone: best.spec, gradients }));
    const smaller = reopened.filter((candidate) => candidate !== best);
    const size = await wantedSize(joined, best.opened, smaller);
    const student = reopened.find(({ spec }) => spec === size?.student);
    // Without images to be taught on, the network of the wanted size learns by itself.
    const isTaught = student !== undefined && facts.unlabelled > 0;
    const reserved = isTaught ? DISTILLING_SHARE * options.budget : 0;
    const teachers = chooseTeachers(joined, ranked).map(({ spec }) => reopened.find((one) => one.spec === spec)!);
    const attempts = await fromBackbone(
      { ...joined, finishing: finishing + reserved },
      isTaught ? best : (student ?? best),
      teachers,
    );
    if (isTaught) attempts.push(await distilled(joined, student, attempts));
    const outranked = ranked.slice(1).flatMap(({ held }) => (held === undefined ? [] : [held]));
    const others = [...passedOver, ...outranked];
    return finishPlan(joined, { attempts, others, size }, start);
  });
}

async function reopenedAll(site: PlanSite, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const again: Candidate[] = [];
  for (const { spec } of candidates) {
    const { opened } = await openedQuietly(site, spec, { method: 'probe', folds: PROBE_FOLDS });
    again.push({ spec, opened });
  }
  return again;
}

async function factsWith(rates: RateSite, { candidates }: OpenedPlan, decisions: Decisions): Promise<Facts> {
  const facts = factsOf(rates.data, rates.options.train);
  return candidates.length > 0 ? facts : withSpread({ ...rates, facts, decisions });
}

/** Undefined where none was asked for. */
async function wantedSize(
  site: PlanSite,
  best: OpenedNetwork,
  smaller: readonly Candidate[],
): Promise<ChosenSize | undefined> {
  const { options, decisions } = site;
  if (options.maxBytes === undefined && options.maxMilliseconds === undefined) return undefined;
  const size = await decisions.decide('size', () => chooseSize(site, best, smaller));
  tellStage(site, { stage: 'size', state: 'kept', why: size.why });
  return size;
}
