import { alignmentFactors, logitAdjustmentFactors } from './adjust.ts';
import { balanced } from './balance.ts';
import { checkHeld, type HeldPredictions } from './calibrated.ts';
import { chanceOfRight } from './chance-of-right.ts';
import { estimatePrior } from './class-prior.ts';
import { samplingRates } from './crest.ts';
import { lowestKept } from './most-confident.ts';
import { checkLabellingOptions, type LabellingOptions } from './options.ts';
import { checkProbabilities, meanRow, mostLikely, reweighted, type Probabilities } from './probabilities.ts';
import { sharpen } from './sharpen.ts';
import { weigh } from './threshold.ts';

export type { LabellingOptions, ThresholdOptions } from './options.ts';

/** MixMatch's. */
const SHARPENING = 0.5;

export interface LabellingInput {
  readonly classes: readonly string[];
  /** [N, K] of unlabelled images: the teacher's, perhaps the mean of views. */
  readonly probabilities: Float32Array;
  /** Of labelled images by models that did not see them, for calibration and the class prior. */
  readonly held?: HeldPredictions & {
    /** [M] as `agreement` below: what agreement is worth is then measured. */
    readonly agreement?: Float32Array;
  };
  /** [N] 0..1: share of views or models that agree with the mean. Without `held.agreement` it multiplies the chance. */
  readonly agreement?: Float32Array;
  /** Of images that are none of the classes: above the threshold, a label is not used. */
  readonly outliers?: Outliers | undefined;
}

export interface Outliers {
  /** [N] the higher, the less an image is like any of the classes. */
  readonly scores: Float32Array;
  readonly threshold: number;
}

export interface MachineLabel {
  /** Index of the class. */
  readonly label: number;
  /** The teacher's for that class, after `adjust`; 0..1. */
  readonly probability: number;
  /** Calibrated, with caution, that the label is right, 0..1; undefined without `held`. */
  readonly chance: number | undefined;
  /** How little the image is like any of the classes; absent where that is not known. */
  readonly outlierScore?: number;
  readonly used: boolean;
  /** In the loss: 0 where unused, at most 1, but up to 10 with `resample`. */
  readonly weight: number;
  /** [K] sum 1. */
  readonly target: Float32Array;
  /** In words, why it is used or not. */
  readonly reason: string;
}

export interface ClassSummary {
  /** Images that the teacher takes for this class, and of them used. */
  readonly predicted: number;
  readonly used: number;
  /** Sum of the weights. */
  readonly weight: number;
  /** From which score on labels count in full; undefined where none does. */
  readonly threshold: number | undefined;
  /** Mean chance of being right of those used. */
  readonly chance: number | undefined;
}

export interface LabellingSummary {
  readonly images: number;
  readonly used: number;
  /** Images that look like none of the classes; 0 where that is not looked at. */
  readonly setAside: number;
  readonly perClass: Readonly<Record<string, ClassSummary>>;
  /** What the thresholds are on. */
  readonly score: 'probability' | 'chance of being right';
  /** Mean chance of all images, and of the used ones by weight; undefined without `held`, or where none is used. */
  readonly meanChance: number | undefined;
  readonly expectedRight: number | undefined;
}

export interface Labelling {
  readonly labels: MachineLabel[];
  /** [K] estimated class shares of the unlabelled images; the teacher's mean prediction where there is no `held`. */
  readonly prior: number[];
  readonly summary: LabellingSummary;
}

/**
 * Decides which of a teacher's labels are used, with what target and weight.
 * @throws InputError where an option is wrong or needs `held`, RangeError where sizes disagree
 * @example
 * const { labels, summary } = labelImages(
 *   { classes: ['cat', 'dog'], probabilities, held: { probabilities: outOfFold, labels: known } },
 *   { labels: 'soft', threshold: { kind: 'expected-error', right: 0.95 }, balance: 'cap' },
 * );
 */
export function labelImages(input: LabellingInput, options: LabellingOptions): Labelling {
  const { classes, probabilities, held, agreement, outliers } = input;
  const size = classes.length;
  const rows = checkProbabilities(probabilities, size, 'unlabelled images');
  if (held !== undefined) checkHeld(held, size);
  checkAgreement(agreement, rows, 'unlabelled');
  checkAgreement(held?.agreement, held?.labels.length ?? 0, 'held');
  if (outliers !== undefined && outliers.scores.length !== rows)
    throw new RangeError(`Outlier scores: expected ${rows}, one an image, got ${outliers.scores.length}.`);
  checkLabellingOptions(options, size, held !== undefined);
  if (rows === 0) throw new RangeError('There is nothing to label: no row of probabilities.');
  const { adjust = 'none', balance = 'none' } = options;

  const estimated = held && estimatePrior(held, probabilities, classes);
  const adjusted = (rowsToAdjust: Probabilities): Float64Array => {
    if (adjust === 'align') return reweighted(rowsToAdjust, alignmentFactors(probabilities, estimated!.prior));
    if (adjust === 'logit')
      return reweighted(
        rowsToAdjust,
        logitAdjustmentFactors(estimated!.prior, Array.from(meanRow(held!.probabilities, size))),
      );
    return Float64Array.from(rowsToAdjust);
  };
  const own = adjusted(probabilities);
  const likely = mostLikely(own, size);
  const chances =
    held &&
    chanceOfRight(
      { probabilities, labels: likely.labels, agreement },
      {
        probabilities: held.probabilities,
        labels: mostLikely(adjusted(held.probabilities), size).labels,
        agreement: held.agreement,
        truth: held.labels,
      },
      estimated!,
    );

  const weighed = weigh(options.threshold, own, likely, chances, size);
  const scores = weighed.score === 'probability' ? likely.confidences : chances!;
  const rates = adjust === 'crest' ? samplingRates(estimated!.prior) : undefined;
  const lowest = rates && lowestKept(likely.labels, scores, rates);
  const isOutlier = (i: number): boolean => outliers !== undefined && outliers.scores[i]! > outliers.threshold;
  const sampled = weighed.weights.map((weight, i) =>
    !isOutlier(i) && (lowest === undefined || scores[i]! >= lowest[likely.labels[i]!]!) ? weight : 0,
  );
  const shared = balance === 'none' ? undefined : balanced(likely.labels, sampled, scores, size, balance);
  const weights = shared?.weights ?? sampled;

  const targets = targetsOf(own, likely.labels, size, options);
  const reason = (i: number): string => {
    const k = likely.labels[i]!;
    if (isOutlier(i))
      return `looks like none of the classes: outlier score ${outliers!.scores[i]!.toFixed(2)} is above ${outliers!.threshold.toFixed(2)}`;
    const score = `${weighed.score} ${scores[i]!.toFixed(3)}`;
    if (weighed.weights[i] === 0)
      return weighed.thresholds[k] === Infinity
        ? `${score}: no label passes`
        : `${score} is below ${weighed.thresholds[k]!.toFixed(3)}`;
    if (sampled[i] === 0) return `${score}: of ${classes[k]}, only the best ${rates![k]!.toFixed(2)} are used`;
    if (weights[i] === 0) return `${score}: of ${classes[k]}, only the best ${shared!.most} are used`;
    return weights[i] === 1 ? score : `${score}, counts ${weights[i]!.toPrecision(3)} times`;
  };
  const labels = Array.from(likely.labels, (label, i): MachineLabel => ({
    label,
    probability: likely.confidences[i]!,
    chance: chances?.[i],
    ...(outliers && { outlierScore: outliers.scores[i]! }),
    used: weights[i]! > 0,
    weight: weights[i]!,
    target: targets.slice(i * size, (i + 1) * size),
    reason: reason(i),
  }));
  const prior = estimated?.prior ?? Array.from(meanRow(probabilities, size));
  const setAside = labels.filter((_, i) => isOutlier(i)).length;
  return { labels, prior, summary: { ...summaryOf(labels, classes, weighed.thresholds, weighed.score), setAside } };
}

function targetsOf(
  probabilities: Float64Array,
  labels: Int32Array,
  classes: number,
  { labels: kind, temperature = SHARPENING }: LabellingOptions,
): Float32Array {
  if (kind === 'soft') return Float32Array.from(probabilities);
  if (kind === 'sharpened') return Float32Array.from(sharpen(probabilities, classes, temperature));
  const targets = new Float32Array(probabilities.length);
  for (const [i, label] of labels.entries()) targets[i * classes + label] = 1;
  return targets;
}

function summaryOf(
  labels: readonly MachineLabel[],
  classes: readonly string[],
  thresholds: readonly number[],
  score: LabellingSummary['score'],
): Omit<LabellingSummary, 'setAside'> {
  const used = labels.filter((label) => label.used);
  const perClass = classes.map((name, k): [string, ClassSummary] => {
    const own = used.filter(({ label }) => label === k);
    return [
      name,
      {
        predicted: labels.filter(({ label }) => label === k).length,
        used: own.length,
        weight: own.reduce((sum, { weight }) => sum + weight, 0),
        threshold: thresholds[k] === Infinity ? undefined : thresholds[k],
        chance: meanChance(own),
      },
    ];
  });
  return {
    images: labels.length,
    used: used.length,
    perClass: Object.fromEntries(perClass),
    score,
    meanChance: meanChance(labels.map(({ chance }) => ({ chance, weight: 1 }))),
    expectedRight: meanChance(used),
  };
}

/** By weight. */
function meanChance(labels: readonly Pick<MachineLabel, 'chance' | 'weight'>[]): number | undefined {
  if (labels.length === 0 || labels[0]!.chance === undefined) return undefined;
  const total = labels.reduce((sum, { weight }) => sum + weight, 0);
  return labels.reduce((sum, { weight, chance }) => sum + weight * chance!, 0) / total;
}

function checkAgreement(agreement: Float32Array | undefined, rows: number, what: string): void {
  if (agreement === undefined) return;
  if (agreement.length !== rows)
    throw new RangeError(`Agreement of ${what} images: expected ${rows} values, got ${agreement.length}.`);
  const wrong = agreement.findIndex((value) => !(value >= 0 && value <= 1));
  if (wrong >= 0)
    throw new RangeError(`Agreement of ${what} images: row ${wrong} has ${agreement[wrong]}; expected 0..1.`);
}
