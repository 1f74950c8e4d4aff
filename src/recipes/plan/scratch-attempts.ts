import { underName } from '../workshop/under-name.ts';
import type { Trained } from '../networks/opened-network.ts';
import { fixmatchLength, scratchLength } from './facts.ts';
import { GAINS } from './gains.ts';
import { judge, judgementInWords } from './judge.ts';
import { tellStage, timeOf, type Attempt, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import type { PlannedWork } from './pace.ts';
import { timedStage, trainingRate, type Done } from './rates.ts';

/** What learns from unlabelled images from scratch: the average of the weights labels, corrected to the labels' shares. */
export const FIXMATCH = { method: 'fixmatch', labeller: 'average', align: 'labelled' } as const;

/** Of what it was planned to take, the most that labels alone may take before they are shortened. */
const MOST_LATE = 1.25;

/** A network from random weights, on labels alone. @param probe of a backbone, which it is then judged by */
export async function supervisedAttempt(site: PlanSite, probe?: Attempt): Promise<Attempt> {
  const { facts, decisions } = site;
  const stage = 'supervised';
  const isNew = !decisions.has(stage);
  const length = await decisions.decide(stage, async () => {
    const secondsAnImage = await trainingRate(site, 'scratch', await openedQuietly(site, undefined, {}));
    const shortest = {
      epochs: Math.ceil(facts.epochs.scratch / 4),
      folds: facts.crossValidated ? 2 : 0,
      seconds: 0,
      besides: 0,
      longest: 1,
    };
    return scratchLength(timeOf(site), facts, secondsAnImage) ?? shortest;
  });
  const { epochs } = length;
  const folds = facts.crossValidated ? Math.max(2, length.folds) : length.folds;
  const { opened } = await openedQuietly(site, undefined, { method: 'scratch', epochs, folds });
  // What comes after it needs its time, too.
  const of = {
    ...length,
    images: epochs * facts.labelled * Math.max(1, folds),
    most: MOST_LATE * length.seconds,
    longest: 1,
  };
  const { value: trained, ...took } = await trainedAs(site, stage, { what: 'scratch', opened, isNew }, of);
  const judgement = probe && judge(GAINS[stage], trained.calibration, trained.calibration && probe.held);
  const isKept = judgement?.isKept ?? true;
  tellStage(site, {
    stage,
    state: isKept ? 'kept' : 'dropped',
    why:
      judgement === undefined
        ? 'A network from random weights, on the labels alone, is what further stages must beat.'
        : judgementInWords(judgement, GAINS[stage], 'the probe'),
    planned: length.seconds,
    ...took,
    judgement,
  });
  return { ...trained, held: trained.calibration, stage, source: opened.source, isKept, judgement };
}

/** FixMatch for the rest of the time. */
export async function fixmatchAttempt(site: PlanSite, supervised: Attempt): Promise<Attempt | undefined> {
  const { facts, decisions } = site;
  const stage = 'fixmatch';
  if (facts.withoutUnlabelled !== undefined) {
    tellStage(site, { stage, state: 'left out', why: facts.withoutUnlabelled });
    return undefined;
  }
  const isNew = !decisions.has(stage);
  const length = await decisions.decide(stage, async () => {
    const secondsAnImage = await trainingRate(site, 'fixmatch', await openedQuietly(site, undefined, FIXMATCH));
    return fixmatchLength(timeOf(site), facts, secondsAnImage) ?? null;
  });
  if (length === null) {
    const why =
      'The time that is left does not suffice for as many steps as labels of unlabelled images take to count.';
    tellStage(site, { stage, state: 'left out', why });
    return undefined;
  }
  const { steps, folds } = length;
  const { opened } = await openedQuietly(site, undefined, { ...FIXMATCH, steps, folds });
  const of = { ...length, images: steps * facts.batchSize * (1 + folds) };
  const { value: trained, ...took } = await trainedAs(site, stage, { what: 'fixmatch', opened, isNew }, of);
  const judgement = judge(GAINS.fixmatch, trained.calibration, comparable(trained, supervised));
  tellStage(site, {
    stage,
    state: judgement.isKept ? 'kept' : 'dropped',
    why: judgementInWords(judgement, GAINS.fixmatch, 'labels alone'),
    planned: length.seconds,
    ...took,
    judgement,
  });
  const { isKept } = judgement;
  return { ...trained, held: trained.calibration, stage, source: opened.source, isKept, judgement };
}

/** Within the stage's time, in folders and under names of its own. */
function trainedAs(
  site: PlanSite,
  stage: string,
  timed: Parameters<typeof timedStage>[2],
  of: PlannedWork,
): Promise<Done<Trained>> {
  return timedStage(site, stage, timed, of, (workshop) =>
    timed.opened.train(underName(workshop, stage), site.stages.within(`${stage}-`)),
  );
}

/** Held-out answers of the supervised network, where both have some. */
function comparable(one: Trained, other: Trained): Trained['calibration'] {
  return one.calibration && other.calibration;
}
