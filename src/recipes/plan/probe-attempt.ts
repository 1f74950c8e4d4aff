import { openNetwork } from '../networks/open-network.ts';
import type { Trained } from '../networks/opened-network.ts';
import { underName } from '../workshop/under-name.ts';
import { tellStage, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';

/** Approach 1 of transfer: a new head on frozen features; what every other stage has to be better than. */
export async function probeAttempt({ workshop, stages, ...site }: PlanSite, candidate: Candidate): Promise<Attempt> {
  const { opened } = candidate;
  const start = performance.now();
  const trained = await opened.train(workshop, stages);
  const seconds = (performance.now() - start) / 1000;
  tellStage(
    { ...site, workshop, stages },
    {
      stage: 'probe',
      state: 'kept',
      why: 'A head on frozen features is there in seconds, and is what further stages must beat.',
      seconds,
    },
  );
  return { ...trained, stage: 'probe', source: opened.source, held: trained.calibration, isKept: true };
}

/** The same probe, whose held-out answers come from as many folds as those of what it is compared with. */
export async function probeInFolds(
  { workshop, stages, options, data }: PlanSite,
  { spec }: Candidate,
  folds: number,
): Promise<Trained['calibration']> {
  const { opened } = await openedQuietly({ options, data }, spec, { method: 'probe', folds });
  return (await opened.train(underName(workshop, 'compare'), stages.within('compare-'))).calibration;
}

/** A network of the plan's for one stage, without a word. */
export async function openedQuietly(
  { options, data }: Pick<PlanSite, 'options' | 'data'>,
  backbone: string | undefined,
  changes: Partial<PlanSite['options']['train']>,
) {
  const train = { ...options.train, ...(backbone !== undefined && { backbone }), ...changes };
  const method = train.method === 'probe' ? 'probe' : backbone === undefined ? 'scratch' : 'finetune';
  return { opened: await openNetwork(train, method, data, {}), train };
}
