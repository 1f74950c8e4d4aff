import { lowestChance } from './expected-error.ts';
import { flexThresholds } from './flex-match.ts';
import { freeThresholds } from './free-match.ts';
import { lowestKept } from './most-confident.ts';
import type { ThresholdOptions } from './options.ts';
import type { MostLikely, Probabilities } from './probabilities.ts';
import { softWeights } from './soft-match.ts';

export interface Weighed {
  /** [N] 0..1; 0 is unused. */
  readonly weights: Float64Array;
  /** [K] the least score with which a label of each class has its full weight. */
  readonly thresholds: readonly number[];
  /** What the thresholds are on. */
  readonly score: 'probability' | 'chance of being right';
}

/**
 * @param probabilities [N, K], N at least 1 @param likely of these
 * @param chances [N] of being right; needed by `expected-error` alone
 */
export function weigh(
  threshold: ThresholdOptions,
  probabilities: Probabilities,
  likely: MostLikely,
  chances: Float64Array | undefined,
  classes: number,
): Weighed {
  const all = (value: number): number[] => Array.from({ length: classes }, () => value);
  const { labels, confidences } = likely;
  const fromThresholds = (thresholds: readonly number[]): Weighed => ({
    weights: confidences.map((p, i) => (p >= thresholds[labels[i]!]! ? 1 : 0)),
    thresholds,
    score: 'probability',
  });
  switch (threshold.kind) {
    case 'none':
      return fromThresholds(all(0));
    case 'fixed':
      return fromThresholds(all(threshold.value));
    case 'per-class':
      return fromThresholds(threshold.values);
    case 'flex':
      return fromThresholds(flexThresholds(likely, classes, threshold.value));
    case 'free':
      return fromThresholds(freeThresholds(probabilities, classes));
    case 'rank':
      return fromThresholds(lowestKept(labels, confidences, all(threshold.share)));
    case 'soft': {
      const { weights, mean } = softWeights(confidences);
      return { weights, thresholds: all(mean), score: 'probability' };
    }
    case 'expected-error': {
      const lowest = lowestChance(chances!, threshold.right);
      return {
        weights: chances!.map((chance) => (chance >= lowest ? 1 : 0)),
        thresholds: all(lowest),
        score: 'chance of being right',
      };
    }
  }
}
