import { JobProfile } from '../job-profile.ts';
import { openNetwork } from '../open-network.ts';
import type { OpenedNetwork } from '../opened-network.ts';
import { prepareData, type TrainingData } from '../prepare-data.ts';
import type { TrainControl } from '../train-control.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';
import type { Candidate } from './plan-site.ts';

/** The networks that a plan chooses from. */
export interface OpenedPlan {
  /** Empty: from scratch. */
  readonly candidates: readonly Candidate[];
  /** The first of them, or the network from scratch. */
  readonly base: OpenedNetwork;
}

/** @throws InputError where a network can't be opened */
export async function openPlan(
  { train, backbones }: ResolvedPlanOptions,
  data: TrainingData,
  control: TrainControl,
): Promise<OpenedPlan> {
  const candidates: Candidate[] = [];
  for (const spec of backbones) {
    const options = { ...train, backbone: spec, method: 'probe' as const };
    candidates.push({ spec, opened: await openNetwork(options, 'probe', data, control) });
  }
  return { candidates, base: candidates[0]?.opened ?? (await openNetwork(train, 'scratch', data, control)) };
}

/** Unlabelled images are read: whether they are of use is part of the plan. @throws InputError as `prepareData` */
export function planData(
  { train }: ResolvedPlanOptions,
  control: TrainControl,
  profile: JobProfile | undefined,
): Promise<TrainingData> {
  return prepareData(train, control, { useUnlabeled: true, track: profile?.data });
}
