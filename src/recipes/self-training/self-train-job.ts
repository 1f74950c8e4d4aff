import type { Sample } from '../../datasets/dataset.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import { labellers, networkLabeller, type Answer, type Labeller } from './labeller.ts';
import { methodOf } from '../method.ts';
import type { LabellingOptions } from '../../labelling/label-images.ts';
import type { HeldAnswers } from './held-answers.ts';
import type { Network } from '../networks/network.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { LabelledSample, TrainingData } from '../prepare-data.ts';
import { parseThreshold } from './parse-threshold.ts';
import { EmbeddedImages, PropagationLabeller } from './propagation-labeller.ts';
import type { Verdict } from './round-score.ts';
import type { RoundsNetwork, SelfTrainNetworks } from './self-train-networks.ts';
import type { ResolvedSelfTrainOptions } from './self-train-options.ts';
import type { Stages } from '../stages.ts';
import type { TrainControl } from '../train-control.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface SelfTrainJob {
  readonly options: ResolvedSelfTrainOptions;
  readonly data: TrainingData;
  readonly networks: SelfTrainNetworks;
  readonly control: TrainControl;
  /** Who decides on rounds, in place of the usual rules. */
  readonly course?: RoundsCourse;
}

/** Decides on rounds. */
export interface RoundsCourse {
  /** Folds that have students in the first round; later rounds, and with 0 all, are judged without held-out images. */
  readonly judgedFolds: number;
  /** What a round's teacher says of all unlabelled images, and said of held-out ones. */
  answered(answer: Answer, held: HeldAnswers | undefined): void;
  /** @param held of the round's student, or of those of the folds @param best of the best before, perhaps on more images */
  verdict(round: number, held: HeldAnswers | undefined, best: HeldAnswers | undefined): Verdict;
}

/** Where and on what self-training works. */
export interface SelfTrainSite {
  readonly run: RunFolder;
  readonly workshop: Workshop;
  readonly stages: Stages;
  readonly job: SelfTrainJob;
}

/** A trained network, and of which it is. */
export interface Student {
  readonly network: Network;
  readonly of: OpenedNetwork;
}

/** What a student's training goes on from: its teacher, where that is of the same network, and wanted. */
export function startOf(
  { options }: SelfTrainJob,
  { opened }: RoundsNetwork,
  teacher: Student | undefined,
): Network | undefined {
  return options.start === 'teacher' && teacher?.of === opened ? teacher.network : undefined;
}

/**
 * The network as a labeller, what spreads over the graph of its embeddings, or both.
 * @param labelled that it was trained on @param pool all that may be labelled
 */
export function labellerOf(
  { workshop, job }: SelfTrainSite,
  network: Network,
  labelled: readonly LabelledSample[],
  pool: readonly Sample[],
): Labeller {
  const { source, views: count, train } = job.options;
  const maxPixels = train.maxPixels * 1e6;
  const mirrored = train.flip === 'on' || (train.flip === 'auto' && methodOf(train) !== 'scratch');
  const known = job.options.outliers === 'keep' ? undefined : { train: labelled, unlabeled: pool };
  const own = networkLabeller(workshop, network, { count, mirrored, seed: train.seed }, maxPixels, known);
  if (source === 'teacher') return own;
  const classes = job.data.classes.length;
  const images = new EmbeddedImages(workshop, network, [...labelled, ...pool], maxPixels);
  const spread = new PropagationLabeller(images, labelled, classes);
  return source === 'propagation' ? spread : labellers([own, spread]);
}

/** For trainings whose words would bury what the rounds say. */
export function quiet(workshop: Workshop): Workshop {
  return { ...workshop, onProgress: undefined };
}

/** How labels are made of a teacher's answers. @throws InputError for a threshold that can't be read */
export function labellingOf({ options, data }: SelfTrainJob): LabellingOptions {
  const { labels, sharpening, threshold, balance, adjust } = options;
  return {
    labels,
    ...(sharpening !== undefined && { temperature: sharpening }),
    threshold: parseThreshold(threshold, data.classes.length),
    balance,
    adjust,
  };
}
