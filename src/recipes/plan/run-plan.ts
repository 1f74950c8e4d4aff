import { existsSync } from 'node:fs';
import { packageVersion } from '../../core/package-version.ts';
import { abstainThreshold } from '../../evaluate/abstain.ts';
import { wilsonInterval } from '../../evaluate/interval.ts';
import { fitTemperature } from '../../evaluate/temperature.ts';
import type { Engine } from '../../runtime/engine.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { finishRun, type RunResult } from '../finish-run.ts';
import { inWorkshop, withEngine } from '../in-workshop.ts';
import { JobProfile } from '../job-profile.ts';
import { newRunFolder } from '../new-run-folder.ts';
import { predictionsOf, type HeldOutPredictions } from '../held-out-predictions.ts';
import type { OpenedNetwork } from '../opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import { Stages } from '../stages.ts';
import type { ResumeControl, TrainControl } from '../train-control.ts';
import { workshopFor } from '../workshop-for.ts';
import { writeModel } from '../write-model.ts';
import { Decisions } from './decisions.ts';
import { factsOf } from './facts.ts';
import { finetuneAttempt } from './finetune-attempt.ts';
import { openNamed, openPlan, planData, type OpenedPlan } from './open-plan.ts';
import { describeOutline, outlineOf } from './outline.ts';
import {
  planFromRun,
  recordedPlan,
  resolvePlanOptions,
  type PlanOptions,
  type ResolvedPlanOptions,
} from './plan-options.ts';
import { estimateOf, type PlanEstimate } from './plan-estimate.ts';
import { tellStage, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly, probeAttempt } from './probe-attempt.ts';
import { accuracyOf, rankBackbones } from './rank-backbones.ts';
import { answerRate } from './rates.ts';
import { fixmatchAttempt, supervisedAttempt } from './scratch-attempts.ts';
import { chooseSize, type ChosenSize } from './size.ts';
import { distillAttempt, DISTILLING_SHARE } from './distill-attempt.ts';
import { selfTrainAttempt } from './self-train-attempt.ts';
import { StageTimes } from './stage-times.ts';

/** A stage of a plan, and how right its network is on the images of the score. */
export interface StageScore {
  readonly stage: string;
  readonly isKept: boolean;
  /** 0..1; absent where the score comes from folds. */
  readonly accuracy?: number;
}

export interface PlanResult extends RunResult {
  /** In the order in which they were done; the last that is kept is the model. */
  readonly stages: readonly StageScore[];
  /** What the accuracy on new images is estimated to be, from the labelled images alone; absent where nothing could be held out. */
  readonly estimate?: PlanEstimate;
}

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
    const decisions = await Decisions.open(run.file('decisions.json'), start);
    const times = await StageTimes.open(engine);
    const rates = { workshop, options, data, times };
    const answer = await decisions.decide('answer', () => answerRate(rates, opened.base));
    const facts = factsOf(data, train);
    const stages = new Stages(run, control, profile?.job);
    const finishing = finishingSeconds(data, answer);
    const site: PlanSite = { run, stages, control, facts, decisions, finishing, ...rates };
    const outline = await decisions.decide('outline', () => outlineOf(site, opened, answer, decisions.spent));
    run.append({ type: 'plan', budget: options.budget, stages: outline });
    control.onProgress?.({ type: 'note', message: describeOutline(outline, options.budget) });
    if (opened.candidates.length === 0) {
      const size = await wantedSize(site, opened.base, []);
      return finish(site, { attempts: await fromScratch(site, opened.base), others: [], size }, start);
    }
    const { candidates } = opened;
    const ranked = candidates.length > 1 ? await rankBackbones(site, candidates) : [];
    const best = ranked[0]?.candidate ?? candidates[0]!;
    const smaller = candidates.filter((candidate) => candidate !== best);
    const size = await wantedSize(site, best.opened, smaller);
    const student = candidates.find(({ spec }) => spec === size?.student);
    // Without images to be taught on, the network of the wanted size learns by itself.
    const isTaught = student !== undefined && facts.unlabelled > 0;
    const reserved = isTaught ? DISTILLING_SHARE * options.budget : 0;
    const attempts = await fromBackbone(
      { ...site, finishing: finishing + reserved },
      isTaught ? best : (student ?? best),
    );
    if (isTaught) attempts.push(await distilled(site, student, attempts));
    const others = ranked.slice(1).flatMap(({ held }) => (held === undefined ? [] : [held]));
    return finish(site, { attempts, others, size }, start);
  });
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

/** The best so far as a teacher. */
async function distilled(site: PlanSite, student: Candidate, attempts: readonly Attempt[]): Promise<Attempt> {
  const best = attempts.findLast(({ isKept }) => isKept)!;
  await within(site, best.network, (at) => exportModel(at, best));
  return within(site, student.opened, (at) => distillAttempt(at, student, best, site.run.file('model.onnx')));
}

/** What was done, and what else was chosen among. */
interface Outcome {
  readonly attempts: readonly Attempt[];
  readonly others: readonly HeldOutPredictions[];
  readonly size: ChosenSize | undefined;
}

/** Transfer: the head, then what may be better and has time. */
async function fromBackbone(site: PlanSite, candidate: Candidate): Promise<Attempt[]> {
  const { opened } = candidate;
  const probe = await within(site, opened, async (at) => {
    const first = await probeAttempt(at, candidate);
    await exportFirst(at, first);
    return first;
  });
  if (probe.held !== undefined && isAtChance(probe.held)) {
    site.workshop.onProgress?.({
      type: 'warning',
      message: `The features of ${opened.source.name} tell the classes apart no better than chance (${(100 * accuracyOf(probe.held)).toFixed(1)} % right out of fold): the images are of another domain than it was trained on, or the labels do not fit them. The plan goes on from scratch.`,
    });
    const { opened: scratch } = await openedQuietly(site, undefined, {});
    return [probe, ...(await fromScratch(site, scratch, probe))];
  }
  return within(site, opened, async (at) => {
    const attempts = [probe];
    const selfTrained = await selfTrainAttempt(at, candidate);
    if (selfTrained !== undefined) attempts.push(selfTrained);
    // A student has learnt from the labels, too: fine-tuning on these alone is for where there is none.
    if (selfTrained?.isKept !== true) {
      const tuned = await finetuneAttempt(at, candidate, probe);
      if (tuned !== undefined) attempts.push(tuned);
    }
    return attempts;
  });
}

function fromScratch(site: PlanSite, opened: OpenedNetwork, probe?: Attempt): Promise<Attempt[]> {
  return within(site, opened, async (at) => {
    const supervised = await supervisedAttempt(at, probe);
    if (!supervised.isKept) return [supervised];
    await exportFirst(at, supervised);
    const further = await fixmatchAttempt(at, supervised);
    return further === undefined ? [supervised] : [supervised, further];
  });
}

/** On images as the network takes them. */
function within<T>(
  site: PlanSite,
  { preprocessing }: Pick<OpenedNetwork, 'preprocessing'>,
  use: (site: PlanSite) => Promise<T>,
): Promise<T> {
  return workshopFor(site.workshop, preprocessing, site.options.train.maxPixels * 1e6, (workshop) =>
    use({ ...site, workshop }),
  );
}

/** Whether the largest class alone would be right as often, for all that so few images tell. */
function isAtChance(held: HeldOutPredictions): boolean {
  const counts = held.classes.map((_, k) => Array.from(held.labels).filter((label) => label === k).length);
  const n = held.labels.length;
  return wilsonInterval(Math.round(accuracyOf(held) * n), n)[0] <= Math.max(...counts) / n;
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

async function finish(site: PlanSite, { attempts, others, size }: Outcome, started: number): Promise<PlanResult> {
  const { run, options, data } = site;
  const winner = attempts.findLast(({ isKept }) => isKept)!;
  const scores = new Map<Attempt, number>();
  if (!data.crossValidated)
    for (const attempt of attempts.filter((one) => one !== winner))
      scores.set(attempt, await within(site, attempt.network, (at) => scoreOf(at, attempt)));
  const { network, calibration, source } = winner;
  const estimate = estimateOf({
    labels: data.train.map(({ label }) => label),
    classes: data.classes,
    others,
    attempts,
    prior: attempts.findLast(({ prior }) => prior !== undefined)?.prior,
  });
  const finished = await within(site, network, (at) =>
    finishRun(run, at.workshop, {
      network,
      calibration,
      source,
      data,
      options: {
        ...options.train,
        // Nothing was held out of it.
        ...(calibration === undefined && { folds: 0 }),
        variants: size?.form === 'int8' ? [...options.train.variants, 'int8' as const] : options.train.variants,
      },
      method: 'plan',
      started,
      ...(estimate && { estimate }),
    }),
  );
  const delivered = inForm(finished, run, size);
  scores.set(winner, delivered.accuracy);
  const stages = attempts.map((attempt): StageScore => {
    const accuracy = scores.get(attempt);
    return { stage: attempt.stage, isKept: attempt.isKept, ...(accuracy !== undefined && { accuracy }) };
  });
  if (estimate === undefined) return { ...delivered, stages };
  const { accuracy, interval } = estimate;
  // Where the score is the folds', the winner's own would be flattered by the choice.
  return { ...delivered, ...(data.crossValidated && { accuracy, interval }), stages, estimate };
}

/** The form that was asked for as the run's model. */
function inForm(finished: RunResult, run: RunFolder, size: ChosenSize | undefined): RunResult {
  const int8 = size?.form === 'int8' ? finished.forms.find(({ variant }) => variant === 'int8') : undefined;
  if (int8 === undefined) return finished;
  const { n } = finished;
  const accuracy = int8.accuracy ?? finished.accuracy;
  return {
    ...finished,
    model: run.file('model.int8.onnx'),
    accuracy,
    interval: wilsonInterval(Math.round(accuracy * n), n),
  };
}

/** On the images of the score, which decides nothing any more. */
async function scoreOf({ workshop, run, data }: PlanSite, { stage, network }: Attempt): Promise<number> {
  run.append({
    type: 'test-opened',
    reason: `score of the stage ${stage}, beside the final one`,
    scoredOn: data.scoredOn,
    images: data.score.length,
  });
  const accuracy = accuracyOf(await predictionsOf(workshop, network, data, data.score, data.scoredOn));
  run.append({ type: 'plan-score', stage, accuracy });
  return accuracy;
}
