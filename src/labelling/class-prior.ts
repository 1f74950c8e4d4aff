import { randomStream } from '../core/random.ts';
import { blackBoxShift } from './bbse.ts';
import { atTemperature, checkHeld, heldTemperature, type HeldPredictions } from './calibrated.ts';
import { checkProbabilities, meanRow, type Probabilities } from './probabilities.ts';
import { saerensPrior } from './saerens.ts';

const RESAMPLES = 30;
/** Unlabelled images in a resample: more of them take nothing from the doubt that a few labelled ones leave. */
const MOST_DRAWN = 1000;

export interface ClassPrior {
  /** [K] estimated shares of the classes among the unlabelled images, sum 1. */
  readonly prior: number[];
  /** [K] standard error of each share before it is shrunk: bootstrap over held (by class) and unlabelled images. */
  readonly error: number[];
  /** How far the estimate was drawn to the teacher's mean prediction, 0..1. */
  readonly shrinkage: number;
  /** [K] the prior behind the teacher's calibrated probabilities: their mean over the held images. */
  readonly source: number[];
  /** Temperature that calibrates the teacher, found on the held images. */
  readonly temperature: number;
}

/**
 * How often each class occurs among unlabelled images, from a teacher's predictions of them and out-of-fold predictions of
 * the labelled ones. The labelled part's own balance is no evidence: it was often chosen. Few labelled images leave much
 * doubt, so the estimate is drawn to the mean of the teacher's calibrated predictions by twice the bootstrap's variance
 * over the squared distance of the two (James and Stein's positive part draws by once; twice was nearer to the truth with
 * 50 to 100 labelled photos).
 * @param held [M, K] and labels of labelled images, by models that did not see them
 * @param probabilities [N, K] of unlabelled images
 * @param method `em`: Saerens et al. 2002; `bbse`: Lipton et al. 2018, which needs more labelled images
 * @throws RangeError where sizes disagree or rows are no probabilities
 * @example
 * const { prior } = estimatePrior({ probabilities: outOfFold, labels }, unlabelled, ['cat', 'dog']);
 */
export function estimatePrior(
  held: HeldPredictions,
  probabilities: Probabilities,
  classes: readonly string[],
  method: 'em' | 'bbse' = 'em',
): ClassPrior {
  const size = classes.length;
  checkHeld(held, size);
  const rows = checkProbabilities(probabilities, size, 'unlabelled images');
  if (rows === 0) throw new RangeError('A class prior needs predictions of unlabelled images; got none.');
  const estimate = (own: HeldPredictions, pool: Probabilities) => {
    const temperature = heldTemperature(own, classes);
    const calibrated = atTemperature(pool, size, temperature);
    const ownCalibrated = atTemperature(own.probabilities, size, temperature);
    const source = Array.from(meanRow(ownCalibrated, size));
    const prior =
      method === 'em' ? saerensPrior(calibrated, source) : blackBoxShift(ownCalibrated, own.labels, calibrated, size);
    return { temperature, source, reference: meanRow(calibrated, size), prior };
  };
  const { temperature, source, reference, prior: raw } = estimate(held, probabilities);
  const stream = randomStream('class prior', rows, held.labels.length);
  const byClass = classes.map((_, k) => held.labels.flatMap((label, i) => (label === k ? [i] : [])));
  const variance = new Float64Array(size);
  for (let round = 0; round < RESAMPLES; round++) {
    const chosen = held.labels.map((label) => byClass[label]![stream.integer(byClass[label]!.length)]!);
    const drawn = Array.from({ length: Math.min(rows, MOST_DRAWN) }, () => stream.integer(rows));
    const own = {
      probabilities: rowsOf(held.probabilities, chosen, size),
      labels: chosen.map((i) => held.labels[i]!),
    };
    const { prior } = estimate(own, rowsOf(probabilities, drawn, size));
    for (let k = 0; k < size; k++) variance[k]! += (prior[k]! - raw[k]!) ** 2 / RESAMPLES;
  }
  const noise = variance.reduce((sum, value) => sum + value, 0);
  const distance = raw.reduce((sum, share, k) => sum + (share - reference[k]!) ** 2, 0);
  const shrinkage = distance > 2 * noise ? (2 * noise) / distance : 1;
  return {
    prior: raw.map((share, k) => share + shrinkage * (reference[k]! - share)),
    error: Array.from(variance, Math.sqrt),
    shrinkage,
    source,
    temperature,
  };
}

function rowsOf(probabilities: Probabilities, rows: readonly number[], size: number): Float64Array {
  const result = new Float64Array(rows.length * size);
  for (const [at, row] of rows.entries()) result.set(probabilities.subarray(row * size, (row + 1) * size), at * size);
  return result;
}
