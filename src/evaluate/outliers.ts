import { conjugateGradient } from '../core/conjugate-gradient.ts';
import { LEAST_LENGTH, rowsOfLengthOne } from '../core/rows-of-length-one.ts';

/**
 * Which images are none of the known classes, by relative Mahalanobis distance (Ren et al. 2021, arXiv:2106.09022, eq. 3) on
 * embeddings of length 1: the distance to the nearest class mean less the distance to the mean of all images. Classes and
 * background share one covariance S, that of the background, shrunk: S + λI, with λ a share of its largest eigenvalue. The
 * quadratic terms cancel, and what is left is linear: -max over classes of w·e/|e| + b, with w = (S + λI)⁻¹(m_class - m).
 *
 * Unlabelled images are a better background than the labelled ones: there are more of them, and they hold what is unknown.
 */
export interface OutlierScorer {
  /** [C, D] of the C classes that have an example. */
  readonly weight: Float32Array;
  /** [C] */
  readonly bias: Float32Array;
}

/** Embeddings [N, width] of images. */
export interface Embedded {
  readonly data: Float32Array;
  readonly width: number;
}

/** Of the largest eigenvalue. From 0.1 to 1 it makes little difference (`bench/outliers.mjs`). */
const SHRINKAGE = 0.3;
/** Of the power method: it is over once the eigenvalue has come to rest. */
const POWER_ROUNDS = 100;
const AT_REST = 1e-6;
/** Of the linear systems, which the shrinkage makes easy. */
const TOLERANCE = 1e-5;
/** More rows take time, and change little. */
const MOST_ROWS = 1000;
/**
 * Length of a row of weights, at most. Embeddings that are nearly all alike would give long ones, and scores that are the
 * rounding of 32-bit floats: a network's differ by 1e-6 from one batch to another.
 */
const LONGEST = 100;
/** Share of the images of known classes that may be set aside. */
const FALSE_ALARMS = 0.05;

/**
 * @param labelled embeddings of labelled images, and the class of each
 * @param background embeddings of images of any kind; the labelled ones are added to them, and the scores of all of these have
 *   the mean 0 and the deviation 1. Without them, scores are half the relative distance: labelled images alone, which their own
 *   class means are drawn to, tell nothing of the scores of others.
 * @throws RangeError where sizes disagree, or there is no label
 */
export function fitOutlierScorer(
  labelled: Embedded,
  labels: readonly number[],
  background?: Float32Array | undefined,
): OutlierScorer {
  const { width } = labelled;
  if (labels.length === 0 || labelled.data.length !== labels.length * width)
    throw new RangeError(`Expected [${labels.length}, ${width}] embeddings, got ${labelled.data.length} numbers.`);
  const own = rowsOfLengthOne(labelled.data, width);
  const all = spread([own, ...(background === undefined ? [] : [rowsOfLengthOne(background, width)])], width);
  const mean = meanOf(all, width);
  for (let i = 0; i < all.length; i++) all[i]! -= mean[i % width]!;
  const covariance = covarianceProduct(all, width);
  const shift = SHRINKAGE * largestEigenvalue(covariance, all.subarray(0, width));
  const multiply = (v: Float64Array, out: Float64Array): void => {
    covariance(v, out);
    for (let j = 0; j < width; j++) out[j]! += shift * v[j]!;
  };
  const present = [...new Set(labels)].toSorted((a, b) => a - b);
  const weight = new Float64Array(present.length * width);
  const bias = new Float64Array(present.length);
  for (const [c, label] of present.entries()) {
    const rows = labels.flatMap((other, i) => (other === label ? [...own.subarray(i * width, (i + 1) * width)] : []));
    const centre = meanOf(Float64Array.from(rows), width).map((value, j) => value - mean[j]!);
    // Images that are all alike have no covariance; then nothing tells them from others.
    const solved = shift === 0 ? new Float64Array(width) : conjugateGradient(multiply, centre, TOLERANCE);
    weight.set(solved, c * width);
    // |z - m|² less |z|² is |m|² - 2 z·m: half of it, with its sign turned.
    bias[c] = -dot(solved, mean) - dot(solved, centre) / 2;
  }
  const isAlone = background === undefined || background.length === 0;
  const { middle, deviation } = isAlone ? { middle: 0, deviation: 1 } : likenessOf({ weight, bias }, all, mean, width);
  const longest = Math.max(...present.map((_, c) => lengthOf(weight.subarray(c * width, (c + 1) * width))));
  const scale = 1 / Math.max(deviation, longest / LONGEST, LEAST_LENGTH);
  return {
    weight: Float32Array.from(weight, (value) => value * scale),
    bias: Float32Array.from(bias, (value) => (value - middle) * scale),
  };
}

/** The higher, the less an image is like any known class. @param embeddings [N, width] @returns [N] */
export function outlierScores({ weight, bias }: OutlierScorer, { data, width }: Embedded): Float32Array {
  const rows = rowsOfLengthOne(data, width);
  return Float32Array.from({ length: rows.length / width }, (_, i) => {
    let largest = -Infinity;
    for (let c = 0; c < bias.length; c++) {
      let sum = bias[c]!;
      for (let j = 0; j < width; j++) sum += weight[c * width + j]! * rows[i * width + j]!;
      largest = Math.max(largest, sum);
    }
    return -largest;
  });
}

/**
 * The score above which an image is set aside: of further images of the known classes, at most the share `falseAlarms` lies
 * above it in the mean (the conformal quantile: Vovk, Gammerman and Shafer 2005).
 * @param held scores of images of known classes that the scorer was not fitted to
 * @returns undefined where these are too few to say: 19 are needed for a share of 0.05
 */
export function outlierThreshold(held: ArrayLike<number>, falseAlarms = FALSE_ALARMS): number | undefined {
  const sorted = Float64Array.from(held).toSorted();
  return sorted[Math.ceil((sorted.length + 1) * (1 - falseAlarms)) - 1];
}

/** Of rows that a scorer was fitted to: mean and deviation of how like the nearest class they are. */
function likenessOf(
  { weight, bias }: { readonly weight: Float64Array; readonly bias: Float64Array },
  centred: Float64Array,
  mean: Float64Array,
  width: number,
): { readonly middle: number; readonly deviation: number } {
  const scores: number[] = [];
  for (let from = 0; from < centred.length; from += width) {
    let largest = -Infinity;
    for (let c = 0; c < bias.length; c++) {
      let sum = bias[c]!;
      for (let j = 0; j < width; j++) sum += weight[c * width + j]! * (centred[from + j]! + mean[j]!);
      largest = Math.max(largest, sum);
    }
    scores.push(largest);
  }
  const middle = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const variance = scores.reduce((sum, score) => sum + (score - middle) ** 2, 0) / scores.length;
  return { middle, deviation: Math.sqrt(variance) };
}

/** v to XᵀXv / N, without the matrix: N may be smaller than D, and D² numbers are many. */
function covarianceProduct(centred: Float64Array, width: number) {
  const rows = centred.length / width;
  return (v: Float64Array, out: Float64Array): void => {
    out.fill(0);
    for (let from = 0; from < centred.length; from += width) {
      let along = 0;
      for (let j = 0; j < width; j++) along += centred[from + j]! * v[j]!;
      along /= rows;
      for (let j = 0; j < width; j++) out[j]! += along * centred[from + j]!;
    }
  };
}

/** By the power method. @param start any vector that is not at right angles to its eigenvector */
function largestEigenvalue(multiply: (v: Float64Array, out: Float64Array) => void, start: Float64Array): number {
  const product = new Float64Array(start.length);
  let v = start;
  let value = 0;
  for (let round = 0; round < POWER_ROUNDS; round++) {
    const length = lengthOf(v);
    if (length === 0) return 0;
    v = v.map((x) => x / length);
    multiply(v, product);
    const next = dot(v, product);
    if (Math.abs(next - value) <= AT_REST * next) return next;
    value = next;
    v = product.slice();
  }
  return value;
}

/** The rows of all, or as many of them as are enough, taken evenly. */
function spread(parts: readonly Float64Array[], width: number): Float64Array {
  const rows = parts.flatMap((part) =>
    Array.from({ length: part.length / width }, (_, i) => part.subarray(i * width, (i + 1) * width)),
  );
  const count = Math.min(rows.length, MOST_ROWS);
  const taken = new Float64Array(count * width);
  for (let i = 0; i < count; i++) taken.set(rows[Math.floor((i * rows.length) / count)]!, i * width);
  return taken;
}

function meanOf(rows: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  const count = rows.length / width;
  for (let i = 0; i < rows.length; i++) mean[i % width]! += rows[i]! / count;
  return mean;
}

function lengthOf(values: Float64Array): number {
  return Math.sqrt(dot(values, values));
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
