import { wilsonInterval } from '../../evaluate/interval.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { finishRun, type RunResult } from '../results/finish-run.ts';
import { predictionsOf, type HeldOutPredictions } from '../results/held-out-predictions.ts';
import { within } from './courses.ts';
import { estimateOf, type PlanEstimate } from './plan-estimate.ts';
import type { Attempt, PlanSite } from './plan-site.ts';
import { accuracyOf } from './rank-backbones.ts';
import type { ChosenSize } from './size.ts';

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

/** What was done, and what else was chosen among. */
export interface Outcome {
  readonly attempts: readonly Attempt[];
  readonly others: readonly HeldOutPredictions[];
  readonly size: ChosenSize | undefined;
}

/** Scores all stages, the best as the run's result. @param started `performance.now()` at the beginning */
export async function finishPlan(
  site: PlanSite,
  { attempts, others, size }: Outcome,
  started: number,
): Promise<PlanResult> {
  const { run, options, data } = site;
  const winner = attempts.findLast(({ isKept }) => isKept)!;
  const scores = new Map<Attempt, number>();
  if (!data.crossValidated)
    for (const attempt of attempts.filter((one) => one !== winner))
      scores.set(attempt, await within(site, attempt.network, (at) => scoreOf(at, attempt)));
  const { network, calibration, source } = winner;
  const estimate = estimateOf({
    labels: (data.validation.length > 0 ? data.validation : data.train).map(({ label }) => label),
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
