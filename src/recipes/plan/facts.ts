import { foldsOf, unlabeledImages, type TrainingData } from '../prepare-data.ts';
import { OFTEN_RIGHT } from '../self-training/first-teacher.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { planTraining } from '../training/training-plan.ts';
import { fittedLength, JUDGING_FOLDS, roundsLength, stepsLength } from './lengths.ts';
import type { FittedLength, RoundsLength, StepsLength, Time } from './lengths.ts';

/** Unlabelled images, at least, and as a share of the labelled ones, that learning from is tried. */
const LEAST_UNLABELLED = 20;
const LEAST_SHARE = 0.5;

/** All that the lengths of a plan's stages depend on beside time. */
export interface Facts {
  readonly labelled: number;
  readonly unlabelled: number;
  /** Images that the end is scored on. */
  readonly scored: number;
  /** That stages can be judged on; 0 where validation images judge, or nothing can be held out. */
  readonly folds: number;
  /** Whether the score itself comes from the folds. */
  readonly crossValidated: boolean;
  /** Epochs that suit, and labelled images a step with unlabelled ones. */
  readonly epochs: { readonly finetune: number; readonly scratch: number };
  readonly batchSize: number;
  /** Why unlabelled images are not learnt from. */
  readonly withoutUnlabelled: string | undefined;
  /** How often labels that spread among images alike are right for labelled images held out; undefined where it was not tried. */
  readonly spreadRight?: number | undefined;
}

export function factsOf(data: TrainingData, options: ResolvedTrainOptions): Facts {
  const { train, unlabeled, score, validation, crossValidated } = data;
  const consistent = { ...options, method: 'fixmatch' } as const;
  return {
    labelled: train.length,
    unlabelled: unlabeled.length,
    scored: score.length,
    folds: validation.length > 0 ? 0 : foldsOf(train, data, JUDGING_FOLDS, options.seed).length,
    crossValidated,
    epochs: {
      finetune: planTraining(options, 'finetune', train.length).epochs,
      scratch: planTraining(options, 'scratch', train.length).epochs,
    },
    batchSize: planTraining(consistent, 'scratch', train.length, unlabeledImages(data)).batchSize,
    withoutUnlabelled: whyNone(data),
  };
}

function whyNone({ classes, train, unlabeled, unlabeledCount }: TrainingData): string | undefined {
  const shown = new Set(train.map(({ label }) => label));
  const missing = classes.filter((_, label) => !shown.has(label));
  if (unlabeledCount === 0) return 'There is no image without a label.';
  if (unlabeled.length < Math.max(LEAST_UNLABELLED, LEAST_SHARE * train.length))
    return `There are too few images without a label (${unlabeled.length}) to learn from.`;
  if (missing.length > 0)
    return `No labelled image shows ${missing.join(', ')}: unlabelled images of it would be taken for others. Label one of each.`;
  return undefined;
}

/** From here on they are more often right than what few labels teach a network from scratch, wherever that was tried. */
const WELL = 0.8;

/**
 * Whether labels spread so well that a student learns from them: surely, unless labels alone teach more, or not.
 * @param alone how often the network of labels alone is right, where that is known
 */
export function spreads({ withoutUnlabelled, spreadRight = 0 }: Facts, alone = 0): 'surely' | 'perhaps' | 'not' {
  if (withoutUnlabelled !== undefined || spreadRight < OFTEN_RIGHT) return 'not';
  if (spreadRight >= WELL) return 'surely';
  return alone < spreadRight ? 'perhaps' : 'not';
}

/** Of the budget, the most that fine-tuning may take where it is only tried whether it teaches better than the probe. */
const TRYING_SHARE = 1 / 4;

/** Whether fine-tuning can be compared with the probe, and takes little time. */
export function isTriedFirst(time: Time, facts: Facts, secondsAnImage: number, isValidated: boolean): boolean {
  const length = finetuneLength(time, facts, secondsAnImage);
  return length !== undefined && (length.folds > 0 || isValidated) && length.seconds <= TRYING_SHARE * time.budget;
}

/** Seconds an image of training. */
export const finetuneLength = (time: Time, facts: Facts, secondsAnImage: number): FittedLength | undefined =>
  fittedLength(time, {
    images: facts.labelled,
    wanted: facts.epochs.finetune,
    secondsAnImage,
    most: facts.folds,
  });

/**
 * The rest of the time is the unlabelled images', where there are any; labels alone are then held out of folds only where all that
 * suits them fits.
 */
export function scratchLength(time: Time, facts: Facts, secondsAnImage: number): FittedLength | undefined {
  const request = { images: facts.labelled, wanted: facts.epochs.scratch, secondsAnImage };
  const most = Math.min(facts.folds, SCRATCH_FOLDS);
  if (facts.withoutUnlabelled !== undefined) return fittedLength(time, { ...request, most });
  // What labels that spread bring is beyond doubt: it is not what labels alone are held out for.
  if (spreads(facts) === 'surely')
    return fittedLength({ ...time, left: time.left * BESIDE_SPREAD }, { ...request, most: time.mustProve ? most : 0 });
  const share = { ...time, left: time.left * SCRATCH_SHARE };
  const proven = fittedLength(share, { ...request, most });
  // Which of the two is right more often is to be told.
  if (spreads(facts) === 'perhaps' && proven !== undefined) return proven;
  return proven?.epochs === request.wanted || time.mustProve ? proven : fittedLength(share, { ...request, most: 0 });
}

/** Of the time, for labels alone. */
const SCRATCH_SHARE = 1 / 3;
/** The same where labels spread. */
const BESIDE_SPREAD = 1 / 6;
/** A network from scratch needs each image more than a pretrained one: fewer folds have time. */
const SCRATCH_FOLDS = 2;

/** Who labels the first round: a head on frozen features, or the network that was all trained on the labels. */
export type FirstTeacher = 'probe' | 'finetune';

/** Images that a fine-tuned teacher is trained on. */
export const teacherImages = ({ epochs, labelled }: Facts): number => epochs.finetune * labelled;

export const selfTrainLength = (
  time: Time,
  facts: Facts,
  seconds: { readonly train: number; readonly answer: number; readonly others?: number },
  firstTeacher: FirstTeacher = 'probe',
): RoundsLength | undefined =>
  facts.withoutUnlabelled === undefined
    ? roundsLength(time, {
        unlabelled: facts.unlabelled,
        most: facts.folds,
        teacherImages: firstTeacher === 'finetune' ? teacherImages(facts) : 0,
        ...seconds,
      })
    : undefined;

export const fixmatchLength = (time: Time, facts: Facts, secondsAnImage: number): StepsLength | undefined =>
  facts.withoutUnlabelled === undefined
    ? stepsLength(time, facts.batchSize * secondsAnImage, facts.crossValidated ? SCRATCH_FOLDS : 0)
    : undefined;
