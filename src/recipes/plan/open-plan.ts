import { cachedBackbones } from '../../backbones/cached.ts';
import { InputError, ModelError } from '../../core/errors.ts';
import { isSmall } from '../networks/default-model.ts';
import type { JobProfile } from '../workshop/job-profile.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
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

/** A probe of nine tenths of the labels is nearly the one of all: with five folds its figure is 1 to 2 points too low. */
export const PROBE_FOLDS = 10;

/** Unlabelled images are read: whether they are of use is part of the plan. @throws InputError as `prepareData` */
export function planData(
  { train }: ResolvedPlanOptions,
  control: TrainControl,
  profile?: JobProfile,
): Promise<TrainingData> {
  return prepareData(train, control, { useUnlabeled: true, track: profile?.data });
}

/**
 * The backbones that are named; where none is, and no network either, those in the cache that can be opened. Small images are
 * none of what backbones were trained on: for them the cache is not asked.
 * @throws InputError, ModelError where one that is named can't be opened
 */
export async function openPlan(
  options: ResolvedPlanOptions,
  data: TrainingData,
  control: TrainControl,
): Promise<OpenedPlan> {
  if (options.backbones.length > 0 || options.train.model !== undefined || isSmall(data))
    return openNamed(options, data, control);
  const candidates: Candidate[] = [];
  for (const spec of await cachedBackbones())
    try {
      candidates.push(...(await openNamed({ ...options, backbones: [spec] }, data, control)).candidates);
    } catch (error) {
      if (!(error instanceof InputError || error instanceof ModelError)) throw error;
      control.onProgress?.({ type: 'note', message: `The cached backbone ${spec} is passed over: ${error.message}` });
    }
  return candidates.length === 0 ? openNamed(options, data, control) : { candidates, base: candidates[0]!.opened };
}

/** These, whatever is in the cache: what a run began with. @throws as `openPlan` */
export async function openNamed(
  { train, backbones }: ResolvedPlanOptions,
  data: TrainingData,
  control: TrainControl,
): Promise<OpenedPlan> {
  const candidates: Candidate[] = [];
  for (const spec of backbones) {
    const options = { ...train, backbone: spec, method: 'probe' as const, folds: PROBE_FOLDS };
    candidates.push({ spec, opened: await openNetwork(options, 'probe', data, control) });
  }
  return { candidates, base: candidates[0]?.opened ?? (await openNetwork(train, 'scratch', data, control)) };
}
