import type { RunFolder } from '../../train/run-folder.ts';
import type { NetworkSource } from '../results/finish-request.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { OpenedNetwork, Trained } from '../networks/opened-network.ts';
import type { TrainingData } from '../prepare-data.ts';
import type { Stages } from '../stages.ts';
import type { TrainControl } from '../train-control.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { Decisions } from './decisions.ts';
import type { Facts } from './facts.ts';
import type { Judgement } from './judge.ts';
import type { Time } from './lengths.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';
import type { StageTimes } from './stage-times.ts';

/** Where and on what a plan works. */
export interface PlanSite {
  readonly run: RunFolder;
  readonly workshop: Workshop;
  readonly stages: Stages;
  readonly options: ResolvedPlanOptions;
  readonly data: TrainingData;
  readonly control: TrainControl;
  readonly facts: Facts;
  readonly decisions: Decisions;
  readonly times: StageTimes;
  /** Seconds that are kept for the end. */
  readonly finishing: number;
}

/** A backbone that is at hand, opened. */
export interface Candidate {
  /** As it was named. */
  readonly spec: string;
  readonly opened: OpenedNetwork;
}

/** What a stage made, and what became of it. */
export interface Attempt extends Trained {
  readonly stage: string;
  readonly source: NetworkSource;
  readonly isKept: boolean;
  /** Its own answers to images that it, or its like, was not trained on; absent where there are none. */
  readonly held: HeldOutPredictions | undefined;
  /** Absent where there was nothing before it. */
  readonly judgement?: Judgement | undefined;
  /** [K] shares of the classes among the unlabelled images, where they were estimated. */
  readonly prior?: readonly number[] | undefined;
}

/** What is said of a stage, as an event and to a person. */
export interface StageNews {
  readonly stage: string;
  readonly state: 'kept' | 'dropped' | 'left out';
  readonly why: string;
  /** As it was expected to take, and took. */
  readonly planned?: number;
  readonly seconds?: number;
  /** Share of the images it was planned to train on that was left out to end in time, up to 1; below 0 where there were more. */
  readonly leftOut?: number;
  readonly judgement?: Judgement | undefined;
}

export function tellStage({ workshop }: PlanSite, { leftOut = 0, ...news }: StageNews): void {
  const share = Math.round(100 * Math.abs(leftOut));
  const paced =
    leftOut > 0
      ? ` The machine was slower than it was expected to be: ${share} % of the training was left out to end in time.`
      : leftOut < 0
        ? ` There was time for ${share} % more training than planned.`
        : '';
  const told = { ...news, why: `${news.why}${paced}` };
  workshop.record({ type: 'plan-stage', ...told, ...(leftOut !== 0 && { leftOut }) });
  workshop.onProgress?.({ type: 'note', message: `Plan: ${told.stage} ${told.state}. ${told.why}` });
}

/** What is left of the budget. */
export function timeOf({ options, decisions, finishing, data }: PlanSite): Time {
  const { budget } = options;
  return { left: budget - decisions.spent - finishing, budget, mustProve: data.crossValidated };
}

/** By which times are kept. */
export function networkKey({ source, preprocessing }: OpenedNetwork): string {
  return `${source.sha256?.slice(0, 16) ?? source.name}@${preprocessing.inputSize.join('x')}`;
}
