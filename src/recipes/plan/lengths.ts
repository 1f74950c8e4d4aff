/** Seconds a training takes beside its images: a graph compiled, weights loaded and saved, held-out images answered. */
export const OVERHEAD = 2.5;
/** Of the budget, what proving that a stage pays may cost. */
const PROVING_SHARE = 1 / 4;
/** Folds that a stage is judged on, where time allows. */
export const JUDGING_FOLDS = 3;

/** Time that is there. */
export interface Time {
  /** Whether the score itself comes from folds: then none can be left out. */
  readonly mustProve: boolean;
  /** Until the end of the budget, less what finishing takes. */
  readonly left: number;
  readonly budget: number;
}

/** How long a stage is expected to take. */
export interface Length {
  readonly seconds: number;
  /** Of these, what does not grow with the images that are trained on. */
  readonly besides: number;
  /** Of the images, so many times as many are of use where the machine becomes faster; at least 1. */
  readonly longest: number;
}

/** A training on labelled images, and again without each of its folds. */
export interface FittedLength extends Length {
  readonly epochs: number;
  /** 0: the prior alone judges. */
  readonly folds: number;
}

/**
 * How long a training on labelled images may be.
 * @param wanted epochs that suit, where there is time @param most folds that the images can be dealt into
 * @returns undefined where a quarter of that does not fit
 */
export function fittedLength(
  { left, budget, mustProve }: Time,
  { images, wanted, secondsAnImage, most }: { images: number; wanted: number; secondsAnImage: number; most: number },
): FittedLength | undefined {
  const epoch = images * secondsAnImage;
  for (const folds of [JUDGING_FOLDS, 2, 0].filter((count) => count <= most && (count > 0 || !mustProve))) {
    // Each of k folds is trained without a k-th of the images.
    const perEpoch = epoch * Math.max(1, folds);
    const proving = folds === 0 ? 0 : perEpoch - epoch;
    const fit = Math.floor(
      Math.min(
        wanted,
        (left - (1 + folds) * OVERHEAD) / perEpoch,
        proving === 0 || mustProve ? wanted : (PROVING_SHARE * budget - folds * OVERHEAD) / proving,
      ),
    );
    // A shorter training that is proven, or a longer one that is not: half of what suits may be given up for the proof.
    if (fit >= Math.max(1, wanted / (folds === 0 ? 4 : 2)))
      return {
        epochs: fit,
        folds,
        seconds: fit * perEpoch + (1 + folds) * OVERHEAD,
        besides: (1 + folds) * OVERHEAD,
        longest: wanted / fit,
      };
  }
  return undefined;
}

/** Rounds of self-training. */
export interface RoundsLength extends Length {
  readonly rounds: number;
  /** Folds whose students judge the first round; 0: the prior alone judges, as it does later rounds. */
  readonly judgedFolds: number;
  readonly epochs: number;
  readonly epochImages: number;
}

/** Images of a round: what suits, the least from which a student learns more than its teacher knows, and from where on more bring nothing. */
const ROUND_IMAGES = 7000;
const LEAST_IMAGES = 3000;
const MOST_IMAGES = 12_000;
const STEP_IMAGES = 200;
/** Times that a pretrained student sees each image at most. */
const MOST_PASSES = 40;
const MOST_ROUNDS = 3;
/** Of a round, what the student of a fold is trained, and the least that says something of the round's student. */
export const FOLD_SHARE = 1 / 4;
const LEAST_FOLD_IMAGES = 1500;
/** Seconds for the first teacher and those of the folds: probes on features that are there. */
const TEACHERS = 4;
/** Epochs of a round, of as many images each: a fold has a whole number of them. */
const ROUND_EPOCHS = 8;

/** Epochs as many as suit; more of them where a pool is too small for their images. */
function inEpochs(images: number, suiting: number, unlabelled: number): { epochs: number; epochImages: number } {
  const epochs = Math.max(suiting, Math.ceil(images / unlabelled));
  return { epochs, epochImages: Math.floor(images / epochs) };
}

/**
 * How many rounds there is time for, and how long ones.
 * @param others seconds an image of further teachers of the first round
 * @param teacherImages that the first teacher is trained on, and that of each fold; 0: it is a probe
 * @returns undefined where not even a short one fits
 */
export function roundsLength(
  { left, budget, mustProve }: Time,
  {
    unlabelled,
    train,
    answer,
    others = 0,
    teacherImages = 0,
    most,
  }: {
    unlabelled: number;
    train: number;
    answer: number;
    others?: number;
    teacherImages?: number;
    most: number;
  },
): RoundsLength | undefined {
  const enough = (images: number): number => Math.min(images, MOST_PASSES * unlabelled);
  const roundSeconds = (images: number): number => images * train + unlabelled * answer + 2 * OVERHEAD;
  const proofSeconds = (images: number, folds: number): number =>
    folds * (images * FOLD_SHARE * (train + answer) + 2 * OVERHEAD);
  const firstSeconds = (images: number, folds: number): number =>
    TEACHERS +
    unlabelled * others +
    (1 + folds) * teacherImages * train +
    roundSeconds(images) +
    proofSeconds(images, folds);
  const isProvable = (images: number, folds: number): boolean =>
    proofSeconds(images, folds) + folds * teacherImages * train <= PROVING_SHARE * budget &&
    (folds === 0 || images >= enough(LEAST_FOLD_IMAGES / FOLD_SHARE));
  for (const folds of [JUDGING_FOLDS, 2, 0].filter((count) => count <= most && (count === most || !mustProve)))
    for (let images = enough(ROUND_IMAGES); images >= enough(LEAST_IMAGES); images -= STEP_IMAGES) {
      const fits = (of: number, count: number): boolean =>
        (isProvable(of, folds) || mustProve) && firstSeconds(of, folds) + (count - 1) * roundSeconds(of) <= left;
      if (!fits(images, 1)) continue;
      let rounds = 1;
      while (rounds < MOST_ROUNDS && fits(images, rounds + 1)) rounds++;
      // What another round would be too long for makes these longer.
      while (images + STEP_IMAGES <= enough(MOST_IMAGES) && fits(images + STEP_IMAGES, rounds)) images += STEP_IMAGES;
      const { epochs, epochImages } = inEpochs(images, ROUND_EPOCHS, unlabelled);
      images = epochs * epochImages;
      const seconds = firstSeconds(images, folds) + (rounds - 1) * roundSeconds(images);
      const besides = seconds - ((rounds + folds * FOLD_SHARE) * images + (1 + folds) * teacherImages) * train;
      const longest = Math.max(1, enough(MOST_IMAGES) / images);
      return { rounds, judgedFolds: folds, epochs, epochImages, seconds, besides, longest };
    }
  return undefined;
}

/** Training with unlabelled images for the rest of the time. */
export interface StepsLength extends Length {
  readonly steps: number;
  readonly folds: number;
}

/** From so many steps on, labels of unlabelled images count at all. */
const LEAST_STEPS = 200;
/** More steps are always of use; so many times as many leave the warm-up and the ramp of the labels as they were meant. */
const MOST_STRETCH = 2;

/**
 * @param folds where the score comes from these alone; each takes as long as all of the training
 * @returns undefined where fewer steps than are of use fit
 */
export function stepsLength({ left }: Time, secondsAStep: number, folds: number): StepsLength | undefined {
  const steps = Math.floor((left / (1 + folds) - OVERHEAD) / secondsAStep);
  const besides = (1 + folds) * OVERHEAD;
  return steps < LEAST_STEPS
    ? undefined
    : { steps, folds, seconds: (1 + folds) * steps * secondsAStep + besides, besides, longest: MOST_STRETCH };
}

/** Students from scratch of labels that spread. */
export interface SpreadLength extends Length {
  /** After each but the last, labels spread again, beside the student. */
  readonly rounds: number;
  /** Of each round. */
  readonly epochs: number;
  readonly epochImages: number;
  /** Where the score comes from folds: their students are trained half as long as one of the first round, which they judge. */
  readonly folds: number;
}

const SPREAD_EPOCH = 1000;
/** Epochs of so many images that suit a round, the least that beat the labels, and those from which on another round is worth more. */
const SPREAD_EPOCHS = 60;
const LEAST_SPREAD_EPOCHS = 15;
/** The same where labels are so often wrong that a student soon is right more often, and labels alone teach little. */
const FEWEST_SPREAD_EPOCHS = 6;
const SHORT_SPREAD_EPOCHS = 28;
const SPREAD_ROUNDS = 3;
/** Times that a student from scratch sees each image at most. */
const MOST_SPREAD_PASSES = 100;
/** Seconds for the graph of nearest images: products of numbers, so many a second, of each two images. */
const FEATURES = 392;
const PRODUCTS_A_SECOND = 1e10;

/** @returns undefined where the least does not fit */
export function spreadLength(
  { left, mustProve }: Time,
  {
    labelled,
    unlabelled,
    isSure,
  }: { readonly labelled: number; readonly unlabelled: number; readonly isSure: boolean },
  secondsAnImage: number,
): SpreadLength | undefined {
  const folds = mustProve ? 2 : 0;
  const enough = (epochs: number): number =>
    Math.min(epochs, Math.max(1, Math.floor((MOST_SPREAD_PASSES * unlabelled) / SPREAD_EPOCH)));
  const graph = ((labelled + unlabelled) ** 2 * FEATURES) / 2 / PRODUCTS_A_SECOND;
  for (let rounds = SPREAD_ROUNDS; rounds > 0; rounds--) {
    const trainings = rounds + folds / 2;
    const besides = (1 + rounds) * graph + (1 + rounds + folds) * OVERHEAD;
    const secondsOf = (images: number): number => trainings * images * secondsAnImage;
    const fit = Math.min(enough(SPREAD_EPOCHS), Math.floor((left - besides) / secondsOf(SPREAD_EPOCH)));
    const least = isSure ? LEAST_SPREAD_EPOCHS : FEWEST_SPREAD_EPOCHS;
    if (fit < enough(rounds === 1 ? least : SHORT_SPREAD_EPOCHS)) continue;
    const { epochs, epochImages } = inEpochs(fit * SPREAD_EPOCH, fit, unlabelled);
    const seconds = secondsOf(epochs * epochImages) + besides;
    return { rounds, epochs, epochImages, folds, seconds, besides, longest: enough(SPREAD_EPOCHS) / fit };
  }
  return undefined;
}
