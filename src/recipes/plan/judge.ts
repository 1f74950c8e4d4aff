import { decisions, type Predictions } from '../../evaluate/predictions.ts';
import type { Gain } from './gains.ts';

/** A stage is dropped where it is worse with more than this probability. */
const SURELY_WORSE = 0.8;

/** What is believed of a stage's gain in accuracy, 0..1. */
export interface Judgement {
  readonly isKept: boolean;
  /** Probability that the stage made it worse. */
  readonly worse: number;
  readonly expected: { readonly mean: number; readonly deviation: number };
  /** On held-out images, paired; absent where none were held out. */
  readonly seen?: { readonly mean: number; readonly error: number; readonly n: number };
}

/**
 * Whether what a stage made is kept: with few labels a comparison has little power, so what was measured on other data counts
 * too. The gain has a normal prior; the mean of the paired differences of held-out images (right: 1, wrong: 0) is normal
 * around it, with the variance of McNemar's test, (b + c + 1) / n², of b images gained and c lost. The 1 keeps a few
 * images without any difference from being a proof of none. Where what was held out is answered by students that were trained for
 * less long, how far these stay behind is added, and its doubt to the variance.
 * @param after, earlier predictions of the same images; one undefined: the prior alone judges
 * @throws RangeError where the images are not the same
 */
export function judge(prior: Gain, after: Predictions | undefined, earlier: Predictions | undefined): Judgement {
  if (after === undefined || earlier === undefined) return concluded(prior.mean, prior.deviation);
  if (String(after.ids) !== String(earlier.ids))
    throw new RangeError('A stage is judged by the same images before and after it.');
  const [one, other] = [rightOf(after), rightOf(earlier)];
  const n = one.length;
  const gained = one.filter((right, i) => right && !other[i]).length;
  const lost = one.filter((right, i) => !right && other[i]).length;
  const seen = { mean: (gained - lost) / n, error: Math.sqrt(gained + lost + 1) / n, n };
  const { mean: behind, deviation: doubt } = prior.shortfall ?? { mean: 0, deviation: 0 };
  const [before, noise] = [1 / prior.deviation ** 2, 1 / (seen.error ** 2 + doubt ** 2)];
  const precision = before + noise;
  const mean = (prior.mean * before + (seen.mean + behind) * noise) / precision;
  return { ...concluded(mean, Math.sqrt(1 / precision)), seen };
}

function concluded(mean: number, deviation: number): Judgement {
  const worse = normalBelow(-mean / deviation);
  return { isKept: worse <= SURELY_WORSE, worse, expected: { mean, deviation } };
}

function rightOf(predictions: Predictions): boolean[] {
  return decisions(predictions).map(({ label, predicted }) => label === predicted);
}

/** Of the standard normal: P(x < z), to 1e-7 (Abramowitz and Stegun 1964, 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z < 0 ? tail : 1 - tail;
}

/** In words, with figures. @param over what it is compared with */
export function judgementInWords({ isKept, worse, expected, seen }: Judgement, prior: Gain, over: string): string {
  const points = (share: number): string => `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)}`;
  const evidence =
    seen === undefined
      ? `Nothing was held out to judge it by: elsewhere it brought ${points(prior.mean)} ± ${(100 * prior.deviation).toFixed(1)} points (${prior.source}).`
      : `On ${seen.n} held-out images ${points(seen.mean)} ± ${(100 * seen.error).toFixed(1)} points over ${over}; with what it brought elsewhere (${points(prior.mean)} ± ${(100 * prior.deviation).toFixed(1)}), ${points(expected.mean)} ± ${(100 * expected.deviation).toFixed(1)}.`;
  return `${evidence} The chance that it is worse is ${Math.round(100 * worse)} %${isKept ? '' : ', above the 80 % that it may be'}.`;
}
