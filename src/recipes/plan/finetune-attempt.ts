import { finetuneLength } from './facts.ts';
import { GAINS } from './gains.ts';
import { judge, judgementInWords } from './judge.ts';
import { tellStage, timeOf, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly, probeInFolds } from './probe-attempt.ts';
import { timedStage, trainingRate } from './rates.ts';

/** Trains everything on the labels, as long as there is time, and keeps it unless it is likely worse than the probe. */
export async function finetuneAttempt(
  site: PlanSite,
  candidate: Candidate,
  probe: Attempt,
): Promise<Attempt | undefined> {
  const { data, facts, decisions, stages } = site;
  const { opened } = candidate;
  const isNew = !decisions.has('finetune');
  const length = await decisions.decide('finetune', async () => {
    const secondsAnImage = await trainingRate(site, 'finetune', await openedQuietly(site, candidate.spec, {}));
    return finetuneLength(timeOf(site), facts, secondsAnImage) ?? null;
  });
  if (length === null) {
    tellStage(site, {
      stage: 'finetune',
      state: 'left out',
      why: 'The time that is left does not suffice for a quarter of the training that suits.',
    });
    return undefined;
  }
  const { epochs, folds } = length;
  const tuned = await openedQuietly(site, candidate.spec, { method: 'finetune', epochs, folds });
  const images = epochs * facts.labelled * Math.max(1, folds);
  const { value: trained, ...took } = await timedStage(
    site,
    'finetune',
    { what: 'finetune', opened, isNew },
    { ...length, images },
    (workshop) => tuned.opened.train(workshop, stages),
  );
  const before =
    data.validation.length > 0 ? probe.calibration : folds > 0 ? await probeInFolds(site, candidate, folds) : undefined;
  const judgement = judge(GAINS.finetune, trained.calibration, before);
  tellStage(site, {
    stage: 'finetune',
    state: judgement.isKept ? 'kept' : 'dropped',
    why: judgementInWords(judgement, GAINS.finetune, 'the probe'),
    planned: length.seconds,
    ...took,
    judgement,
  });
  // Without folds of its own, the probe's answers are the nearest there is to calibrate by.
  const calibration = trained.calibration ?? probe.calibration;
  const { isKept } = judgement;
  return {
    ...trained,
    calibration,
    held: trained.calibration,
    stage: 'finetune',
    source: opened.source,
    isKept,
    judgement,
  };
}
