import type { RandomStream } from '../core/random.ts';
import { quantile } from './bootstrap.ts';

/** How well models of so many labels do on images that they did not learn from. */
export interface CurveMeasurement {
  /** Labels that a model learnt from. */
  readonly labels: number;
  /** [n] of each labelled image: the share of models that was right about it, 0..1. */
  readonly right: ArrayLike<number>;
}

export interface CurvePoint {
  readonly labels: number;
  /** 0..1 */
  readonly accuracy: number;
}

/** A learning curve, and where it goes. Accuracies and gains are 0..1. */
export interface CurveFit {
  readonly measured: readonly CurvePoint[];
  /** Expected with the labels there are, and with further ones. */
  readonly now: CurvePoint;
  readonly next: CurvePoint;
  /** Of `next` over `now`, and the range that it lies in with 80 % probability. */
  readonly gain: number;
  readonly interval80: readonly [low: number, high: number];
  /** Expected gain of twice the labels. */
  readonly doubling: number;
  /** What keeps accuracy from rising: `labels` where twice as many should bring two points or more, else the `model`. */
  readonly limit: 'labels' | 'model';
  readonly words: string;
}

const DRAWS = 400;
/** A gain by twice the labels that is worth the work. */
const WORTH = 0.02;
/**
 * What one draw of labels brings differs from the next by about this share of the gain, and at least by this much: standard deviations
 * of steps of 50 labels about the expected one (bench/suggest.mjs).
 */
const STEP_SPREAD = 0.5;
const LEAST_SPREAD = 0.008;

/**
 * Fits error(m) = a + b / sqrt(m), a and b 0 or more, the form of learning curves with a power of a half (Cortes et al. 1994; Viering and
 * Loog 2023, arXiv:2103.10948, section 3), to cross-validated errors, and reads off what further labels should bring. The
 * interval is Efron's bootstrap over the labelled images, and the spread of a single step about its expectation beside it.
 * @param measured at two numbers of labels or more, of the same images
 * @param ahead further labels
 * @throws RangeError for fewer measurements, or of different images
 */
export function fitLearningCurve(
  measured: readonly CurveMeasurement[],
  labels: number,
  ahead: number,
  stream: RandomStream,
): CurveFit {
  const images = measured[0]?.right.length ?? 0;
  if (new Set(measured.map((one) => one.labels)).size < 2 || images === 0)
    throw new RangeError(`A curve needs measurements at two numbers of labels or more, got ${measured.length}.`);
  if (measured.some(({ right }) => right.length !== images))
    throw new RangeError('All measurements of a curve must be of the same images.');
  const fitTo = (counts: ArrayLike<number>): Line => fitRoot(measured.map((one) => ({ labels: one.labels, error: errorOf(one, counts) }))); // prettier-ignore
  const once = new Float64Array(images).fill(1);
  const { a, b } = fitTo(once);
  const errorAt = (m: number): number => a + b / Math.sqrt(m);
  const gainOf = (slope: number, more: number): number => slope / Math.sqrt(labels) - slope / Math.sqrt(labels + more);
  const gains = Float64Array.from({ length: DRAWS }, () => {
    const counts = new Float64Array(images);
    for (let i = 0; i < images; i++) counts[stream.integer(images)]!++;
    const gain = gainOf(fitTo(counts).b, ahead);
    return gain + stream.normal() * Math.hypot(STEP_SPREAD * gain, LEAST_SPREAD);
  }).toSorted();
  const gain = gainOf(b, ahead);
  const doubling = gainOf(b, labels);
  const interval80 = [quantile(gains, 0.1), quantile(gains, 0.9)] as const;
  const limit = doubling >= WORTH ? 'labels' : 'model';
  return {
    measured: measured.map((one) => ({ labels: one.labels, accuracy: 1 - errorOf(one, once) })),
    now: { labels, accuracy: 1 - errorAt(labels) },
    next: { labels: labels + ahead, accuracy: 1 - errorAt(labels + ahead) },
    gain,
    interval80,
    doubling,
    limit,
    words: inWords(ahead, gain, interval80, doubling, limit),
  };
}

function errorOf({ right }: CurveMeasurement, counts: ArrayLike<number>): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    sum += counts[i]! * right[i]!;
    total += counts[i]!;
  }
  return 1 - sum / total;
}

interface Line {
  readonly a: number;
  readonly b: number;
}

/** Least squares of error = a + b x with x = 1 / sqrt(m), neither below 0. */
function fitRoot(points: readonly { readonly labels: number; readonly error: number }[]): Line {
  const x = points.map(({ labels }) => 1 / Math.sqrt(labels));
  const y = points.map(({ error }) => error);
  const n = points.length;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const [mx, my] = [sum(x) / n, sum(y) / n];
  const b = sum(x.map((value, i) => (value - mx) * (y[i]! - my))) / sum(x.map((value) => (value - mx) ** 2));
  if (b <= 0) return { a: my, b: 0 };
  const a = my - b * mx;
  return a >= 0 ? { a, b } : { a: 0, b: sum(x.map((value, i) => value * y[i]!)) / sum(x.map((value) => value ** 2)) };
}

function inWords(
  ahead: number,
  gain: number,
  [low, high]: readonly [number, number],
  doubling: number,
  limit: CurveFit['limit'],
): string {
  const points = (share: number): string => (100 * share).toFixed(1);
  return (
    `${ahead} more labels should bring about ${points(gain)} points of accuracy (80 % interval ${points(low)} to ${points(high)}). ` +
    (limit === 'labels'
      ? `Labels limit now: twice as many should bring about ${points(doubling)}.`
      : `The model limits now: even twice the labels should bring only about ${points(doubling)}; a larger backbone or fine-tuning may help more.`)
  );
}
