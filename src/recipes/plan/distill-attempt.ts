import { openSelfTrainNetworks } from '../self-training/self-train-networks.ts';
import { resolveSelfTrainOptions } from '../self-training/self-train-options.ts';
import { SelfTraining } from '../self-training/self-training.ts';
import { GAINS } from './gains.ts';
import { judge, judgementInWords } from './judge.ts';
import { roundsLength } from './lengths.ts';
import { tellStage, timeOf, type Attempt, type Candidate, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { answerRate, timedStage, trainingRate } from './rates.ts';

/** Of the budget, what the training of a smaller network may take at the end. */
export const DISTILLING_SHARE = 0.3;

/**
 * A smaller network learns what the best one says of all images. It is kept whatever it loses: the best is not of the size that
 * was asked for.
 * @param file the best one's model
 */
export async function distillAttempt(
  site: PlanSite,
  student: Candidate,
  best: Attempt,
  file: string,
): Promise<Attempt> {
  const { run, data, facts, control, decisions, stages, options } = site;
  const { opened, spec } = student;
  const stage = 'distill';
  const isNew = !decisions.has(stage);
  const length = await decisions.decide(stage, async () => {
    const train = await trainingRate(site, 'finetune', await openedQuietly(site, spec, {}));
    const rates = { unlabelled: facts.unlabelled, train, answer: await answerRate(site, opened), most: 0 };
    return roundsLength({ ...timeOf(site), mustProve: false }, rates) ?? SHORTEST;
  });
  const { epochs, epochImages } = length;
  const own = resolveSelfTrainOptions({
    data: options.train.data,
    backbone: spec,
    teacher: [file],
    rounds: 1,
    epochImages,
  });
  const selfTrain = { ...own, train: { ...options.train, backbone: spec, epochs, folds: 0 } };
  const networks = await openSelfTrainNetworks(selfTrain, data, {});
  const of = { ...length, images: epochs * epochImages };
  const { value: trained, ...took } = await timedStage(site, stage, { what: 'finetune', opened, isNew }, of, (paced) =>
    new SelfTraining({
      run,
      workshop: { ...paced, onProgress: undefined },
      stages,
      job: {
        options: selfTrain,
        data,
        networks,
        control,
        course: { judgedFolds: 0, answered() {}, verdict: () => ({ isKept: true, goesOn: false }) },
      },
    }).train(),
  );
  const judgement = judge(GAINS.distill, undefined, undefined);
  tellStage(site, {
    stage,
    state: 'kept',
    why: `The size that was asked for is this network's. ${judgementInWords(judgement, GAINS.distill, best.stage)}`,
    planned: length.seconds,
    ...took,
    judgement,
  });
  // Where there are no images but the labelled ones to score on, its teacher's answers are the nearest there is.
  const calibration = data.crossValidated ? best.calibration : undefined;
  return { ...trained, calibration, stage, held: undefined, isKept: true, judgement };
}

/** Where no time is left: a model of another size than was asked for would be of no use. */
const SHORTEST = { rounds: 1, judgedFolds: 0, epochs: 8, epochImages: 250, seconds: 0, besides: 0, longest: 1 };
