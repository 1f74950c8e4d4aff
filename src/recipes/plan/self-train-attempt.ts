import { estimatePrior } from '../../labelling/class-prior.ts';
import { heldOf, rowsWhere } from '../self-training/held-answers.ts';
import { openSelfTrainNetworks } from '../self-training/self-train-networks.ts';
import { resolveSelfTrainOptions, type ResolvedSelfTrainOptions } from '../self-training/self-train-options.ts';
import type { RoundsCourse } from '../self-training/self-train-job.ts';
import { SelfTraining } from '../self-training/self-training.ts';
import { selfTrainLength, teacherImages, type FirstTeacher } from './facts.ts';
import { GAINS } from './gains.ts';
import { judge, judgementInWords, type Judgement } from './judge.ts';
import { FOLD_SHARE, JUDGING_FOLDS, type RoundsLength } from './lengths.ts';
import { tellStage, timeOf, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { answerRate, timedStage, trainingRate } from './rates.ts';

/**
 * Rounds of self-training from the probe, or the fine-tuned network, as many and as long as there is time for.
 * @param teachers whose probes label first, together; none: the candidate's own
 * @param firstTeacher who labels first
 */
export async function selfTrainAttempt(
  site: PlanSite,
  candidate: Candidate,
  teachers: readonly Candidate[],
  firstTeacher: FirstTeacher = 'probe',
): Promise<Attempt | undefined> {
  const { run, data, facts, control, decisions, stages } = site;
  const { opened } = candidate;
  const stage = 'self-train';
  if (facts.withoutUnlabelled !== undefined) {
    tellStage(site, { stage, state: 'left out', why: facts.withoutUnlabelled });
    return undefined;
  }
  const isTuned = firstTeacher === 'finetune';
  const others = isTuned ? [] : teachers;
  const isNew = !decisions.has(stage);
  const length = await decisions.decide(stage, async () => {
    const train = await trainingRate(site, 'finetune', await openedQuietly(site, candidate.spec, {}));
    let answers = 0;
    for (const teacher of others.filter((one) => one !== candidate)) answers += await answerRate(site, teacher.opened);
    const rates = { train, answer: await answerRate(site, opened), others: answers };
    return selfTrainLength(timeOf(site), facts, rates, firstTeacher) ?? null;
  });
  if (length === null) {
    const why = 'The time that is left does not suffice for the shortest round that a student learns something in.';
    tellStage(site, { stage, state: 'left out', why });
    return undefined;
  }
  const options = { ...selfTrainOptions(site, candidate, others, length), ...(isTuned && { firstTeacher }) };
  const networks = await openSelfTrainNetworks(options, data, {});
  // Validation images judge the student itself.
  const { shortfall: _, ...ofStudent } = GAINS[stage];
  const isValidated = data.validation.length > 0;
  const gain = isValidated ? ofStudent : GAINS[stage];
  let first: Judgement | undefined;
  let prior: readonly number[] | undefined;
  const course: RoundsCourse = {
    judgedFolds: length.judgedFolds,
    answered({ probabilities }, held) {
      prior ??= held && estimatePrior(heldOf(held), probabilities, data.classes).prior;
    },
    verdict(round, held, best) {
      const before = held && best && rowsWhere(best, (id) => held.ids.includes(id));
      const judgement = judge(round === 1 ? gain : GAINS['further-round'], held, before);
      if (round === 1) first = judgement;
      return { isKept: judgement.isKept, goesOn: judgement.isKept };
    },
  };
  const students = length.epochs * length.epochImages * (length.rounds + length.judgedFolds * FOLD_SHARE);
  const images = students + (isTuned ? (1 + length.judgedFolds) * teacherImages(facts) : 0);
  const of = { ...length, images };
  const { value: trained, ...took } = await timedStage(site, stage, { what: 'finetune', opened, isNew }, of, (paced) =>
    new SelfTraining({ run, workshop: paced, stages, job: { options, data, networks, control, course } }).train(),
  );
  const isKept = trained.round > 0;
  tellStage(site, {
    stage,
    state: isKept ? 'kept' : 'dropped',
    why: `${trained.round} of ${length.rounds} rounds. ${first === undefined ? 'Its machine labels collapse.' : judgementInWords(first, gain, isTuned ? 'the fine-tuned network' : 'the probe')}${length.rounds > 1 && trained.round > 1 ? ' Later rounds are not proven: that would take more than a quarter of the time.' : ''}`,
    planned: length.seconds,
    ...took,
    judgement: first,
  });
  // Students of folds are trained for less long: what they say is in the judgement, and no figure of its own.
  const held = isValidated ? trained.calibration : undefined;
  return { ...trained, held, stage, isKept, judgement: first && withFurther(first, trained.round), prior };
}

/** With what later rounds are expected to bring. */
function withFurther({ expected, ...judgement }: Judgement, rounds: number): Judgement {
  const { mean, deviation } = GAINS['further-round'];
  const more = Math.max(0, rounds - 1);
  return {
    ...judgement,
    expected: {
      mean: expected.mean + more * mean,
      deviation: Math.hypot(expected.deviation, Math.sqrt(more) * deviation),
    },
  };
}

function selfTrainOptions(
  { options }: PlanSite,
  { spec }: Candidate,
  teachers: readonly Candidate[],
  { rounds, epochs, epochImages }: RoundsLength,
): ResolvedSelfTrainOptions {
  const { train } = options;
  const own = resolveSelfTrainOptions({
    data: train.data,
    backbone: spec,
    teacherBackbones: teachers.map((teacher) => teacher.spec),
    rounds,
    epochImages,
  });
  return { ...own, train: { ...train, backbone: spec, epochs, folds: JUDGING_FOLDS } };
}
