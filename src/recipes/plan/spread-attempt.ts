import { randomStream, shuffled } from '../../core/random.ts';
import { openNetwork } from '../networks/open-network.ts';
import { propagationGraph } from '../self-training/propagation-labeller.ts';
import { openSelfTrainNetworks } from '../self-training/self-train-networks.ts';
import { withoutBackbone } from '../self-training/first-teacher.ts';
import { resolveSelfTrainOptions, type ResolvedSelfTrainOptions } from '../self-training/self-train-options.ts';
import { SelfTraining } from '../self-training/self-training.ts';
import { verdictOn } from '../self-training/round-score.ts';
import type { RoundsCourse } from '../self-training/self-train-job.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { spreads, type Facts } from './facts.ts';
import { GAINS } from './gains.ts';
import { judge, judgementInWords } from './judge.ts';
import { spreadLength, type SpreadLength } from './lengths.ts';
import { tellStage, timeOf, type Attempt, type PlanSite } from './plan-site.ts';
import { openedQuietly } from './probe-attempt.ts';
import { accuracyOf } from './rank-backbones.ts';
import { timedStage, trainingRate, type RateSite } from './rates.ts';

/** Unlabelled images among which it is tried whether labels spread well. */
const TRIED = 2000;
/** Where outlines tell the classes, they are what is varied: turned, shifted, slanted, bent and in part hidden. */
export const OUTLINES =
  'evaluationcrop|affine(angle=-20..20,translatex=-0.1..0.1,translatey=-0.1..0.1,scale=0.8..1.2,shearx=-20..20,sheary=-10..10,fill=edge)|elastic(0..40,4,fill=edge)|cutout(size=0.1..0.35)';
/** Of the images of a batch: all labels are nearly as good as those of people. */
const LABELLED_SHARE = 0.05;
/** How a student is trained. */
const STUDENT = { augment: OUTLINES, batchSize: 64, lr: 0.1, dropout: 0 } as const;

/**
 * From scratch, where images alike in their gradients show the same class: labels that spread among them, and a student that
 * learns from all; where there is time, labels spread again among images as both see them, and the student goes on.
 * @param supervised the network of labels alone
 * @returns undefined where they don't, where labels alone teach more, or time does not suffice
 */
export async function spreadAttempt(site: PlanSite, supervised: Attempt): Promise<Attempt | undefined> {
  const { run, data, facts, control, decisions, stages } = site;
  const stage = 'spread';
  const { spreadRight } = facts;
  if (spreadRight === undefined) return undefined;
  const how = found(spreadRight);
  const alone = supervised.held && accuracyOf(supervised.held);
  const certainty = spreads(facts, alone);
  if (certainty === 'not') {
    const than = alone === undefined ? '' : ` The network of labels alone is for ${percent(alone)}.`;
    tellStage(site, { stage, state: 'left out', why: `${how}${than}` });
    return undefined;
  }
  const isNew = !decisions.has(stage);
  const length = await decisions.decide(stage, async () => {
    const train = await trainingRate(site, 'spread', await openedQuietly(site, undefined, STUDENT));
    const isSure = certainty === 'surely';
    return spreadLength(timeOf(site), { ...facts, isSure }, train) ?? null;
  });
  if (length === null) {
    tellStage(site, {
      stage,
      state: 'left out',
      why: `${how} The time that is left does not suffice for a student of them.`,
    });
    return undefined;
  }
  const { opened } = await openedQuietly(site, undefined, {});
  const options = studentOptions(site, length);
  const networks = await openSelfTrainNetworks(options, data, {});
  const images = (length.rounds + length.folds / 2) * length.epochs * length.epochImages;
  const of = { ...length, images };
  const { value: trained, ...took } = await timedStage(site, stage, { what: 'spread', opened, isNew }, of, (workshop) =>
    new SelfTraining({
      run,
      workshop,
      stages,
      job: { options, data, networks, control, course: courseOf(length) },
    }).train(),
  );
  const isKept = trained.round > 0;
  const judgement = judge(GAINS.spread, undefined, undefined);
  tellStage(site, {
    stage,
    state: isKept ? 'kept' : 'dropped',
    why: `${how} ${isKept ? `${trained.round} of ${length.rounds} rounds. ${judgementInWords(judgement, GAINS.spread, 'labels alone')}` : 'The student was no better than they.'}`,
    planned: length.seconds,
    ...took,
    judgement,
  });
  return { ...trained, held: trained.calibration, stage, isKept, judgement };
}

/** The first round is judged; that the next one's labels are better is what was found wherever it was tried. */
const courseOf = ({ folds }: SpreadLength): RoundsCourse => ({
  judgedFolds: folds,
  answered() {},
  verdict: (round, held, best) =>
    round === 1 ? { ...verdictOn(held, best, true), goesOn: true } : { isKept: true, goesOn: true },
});

const found = (right: number): string =>
  `Labels that spread among images alike in their gradients are right for ${percent(right)} of labelled images held out.`;

const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** What is known, with how often labels that spread are right where there is something to spread over; a decision of the plan. */
export async function withSpread(site: RateSite & Pick<PlanSite, 'facts' | 'decisions'>): Promise<Facts> {
  const { facts, decisions } = site;
  if (facts.withoutUnlabelled !== undefined) return facts;
  const right = await decisions.decide('spread-right', async () => (await rightOfSpread(site)) ?? null);
  return { ...facts, spreadRight: right ?? undefined };
}

/** How often labels that spread are right for labelled images held out, among some of the unlabelled ones; undefined for too few labels. */
export async function rightOfSpread({ workshop, options, data }: RateSite): Promise<number | undefined> {
  const train = { ...options.train, ...withoutBackbone, method: 'probe' as const };
  const opened = await openNetwork(train, 'probe', data, {});
  const some = shuffled(data.unlabeled, randomStream(train.seed, 'spread')).slice(0, TRIED);
  return workshopFor(workshop, opened.preprocessing, train.maxPixels * 1e6, async (at) => {
    const graph = await propagationGraph(at, await opened.features!(at, [...data.train, ...some]));
    const labels = [...data.train.map(({ label }) => label), ...some.map(() => undefined)];
    return graph.spread(labels, data.classes.length).heldRight;
  });
}

function studentOptions(
  { options }: PlanSite,
  { rounds, epochs, epochImages, folds }: SpreadLength,
): ResolvedSelfTrainOptions {
  const { train } = options;
  const own = resolveSelfTrainOptions({
    data: train.data,
    rounds,
    firstTeacher: 'propagation',
    labels: 'hard',
    labelledShare: LABELLED_SHARE,
    epochImages,
  });
  return { ...own, train: { ...train, ...STUDENT, epochs, folds } };
}
