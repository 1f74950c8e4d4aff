import { biasCorrectedAccuracy, type AccuracyEstimate } from '../../evaluate/bias-corrected.ts';
import { decisions } from '../../evaluate/predictions.ts';
import type { HeldOutPredictions } from '../results/held-out-predictions.ts';
import type { Attempt } from './plan-site.ts';

/** What the model's accuracy on new images is estimated to be, from the labelled images alone. */
export interface PlanEstimate extends Pick<AccuracyEstimate, 'accuracy' | 'interval'> {
  /** How it was found, in words. */
  readonly found: string;
}

export interface EstimateRequest {
  /** Of the images held out: all labelled ones in folds, or those of validation. */
  readonly labels: readonly number[];
  readonly classes: readonly string[];
  /** All that was chosen among, beside the stages. */
  readonly others: readonly HeldOutPredictions[];
  readonly attempts: readonly Attempt[];
  /** [K] estimated shares of the classes among unlabelled images. */
  readonly prior: readonly number[] | undefined;
}

/**
 * From the out-of-fold predictions of all that the plan chose among (`biasCorrectedAccuracy`). Where the model itself was not held
 * out of anything, what it is expected to bring is added to the figure of what came before it, with its doubt. Where the labels were
 * not drawn as the unlabelled images are, their classes are weighted as these have them.
 * @returns undefined where nothing was held out
 */
export function estimateOf({ labels, classes, others, attempts, prior }: EstimateRequest): PlanEstimate | undefined {
  const held = [...others, ...attempts.flatMap(({ held: own }) => (own === undefined ? [] : [own]))];
  const known = held.filter(({ ids }) => ids!.length === labels.length);
  if (known.length === 0) return undefined;
  const [first] = known;
  const ids = first!.ids!;
  const labelOf = new Map(ids.map((id, i) => [id, first!.labels[i]!]));
  const weights = prior && weightsOf([...labelOf.values()], prior);
  const right = known.map((of) => {
    const rightOf = new Map(decisions(of).map(({ label, predicted }, i) => [of.ids![i]!, label === predicted]));
    return ids.map((id) => rightOf.get(id) ?? false);
  });
  const corrected = biasCorrectedAccuracy(right, weights);
  const drawn =
    weights === undefined
      ? ''
      : ` The labels were not drawn as the unlabelled images are; classes count as they are estimated to occur among these: ${classes.map((name, k) => `${name} ${(100 * prior![k]!).toFixed(0)} %`).join(', ')}.`;
  const base = `Bias-corrected cross-validation of ${known.length === 1 ? 'one candidate' : `${known.length} candidates`} on ${labels.length} labelled images.${drawn}`;
  // What was kept after the last stage that has held-out answers of its own.
  const kept = attempts.filter(({ isKept }) => isKept);
  const unproven = kept.slice(kept.findLastIndex(({ held: own }) => own !== undefined) + 1);
  if (unproven.length === 0) return { accuracy: corrected.accuracy, interval: corrected.interval, found: base };
  const gains = unproven.map(({ judgement }) => judgement!.expected);
  const mean = gains.reduce((sum, gain) => sum + gain.mean, 0);
  const deviation = Math.hypot(...gains.map((gain) => gain.deviation));
  const accuracy = Math.min(1, Math.max(0, corrected.accuracy + mean));
  const side = (limit: number): number => Math.hypot(limit - corrected.accuracy, 1.96 * deviation);
  const [low, high] = corrected.interval;
  return {
    accuracy,
    interval: [Math.max(0, accuracy - side(low)), Math.min(1, accuracy + side(high))],
    found: `${base} Of ${unproven.map(({ stage }) => stage).join(' and ')} there are no held-out answers of full length: what is expected of it (${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)} points) is added.`,
  };
}

/** Of a chi-squared test at 5 %. */
const SURELY_OTHER = 1.645;

/**
 * Weights that give labels the shares of the prior; undefined where they may have been drawn by it: Pearson's chi-squared, its
 * quantile by Wilson and Hilferty (1931).
 */
export function weightsOf(labels: readonly number[], prior: readonly number[]): number[] | undefined {
  const counts = prior.map((_, k) => labels.filter((label) => label === k).length);
  const expected = prior.map((share) => Math.max(share, 1e-6) * labels.length);
  const statistic = counts.reduce((sum, count, k) => sum + (count - expected[k]!) ** 2 / expected[k]!, 0);
  const freedom = prior.length - 1;
  const spread = 2 / (9 * freedom);
  const z = (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
  if (z <= SURELY_OTHER) return undefined;
  return labels.map((label) => expected[label]! / counts[label]!);
}
