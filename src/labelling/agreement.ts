import { checkProbabilities, mostLikely, type Probabilities } from './probabilities.ts';

export interface CombinedViews {
  /** [N, K] mean of the views. */
  readonly probabilities: Float32Array;
  /** [N] 0..1: share of the views whose most likely class is the mean's. */
  readonly agreement: Float32Array;
  /**
   * [N] entropy of the mean less the mean entropy, in nats, 0..log(views): the generalised Jensen-Shannon divergence (Lin
   * 1991), which is what one would learn about the label by knowing the right view (BALD: Houlsby et al. 2011).
   */
  readonly disagreement: Float32Array;
}

/**
 * Puts several predictions of the same images together: of models, or of views of each image (test-time augmentation).
 * @param views [V] of [N, K] each, one at least
 * @throws RangeError where there is no view, sizes differ or rows are no probabilities
 * @example
 * const { probabilities, agreement } = combineViews([plain, mirrored], 10);
 */
export function combineViews(views: readonly Probabilities[], classes: number): CombinedViews {
  if (views.length === 0) throw new RangeError('Expected one view at least, got none.');
  const rows = views.map((view, v) => checkProbabilities(view, classes, `view ${v}`));
  if (new Set(rows).size > 1) throw new RangeError(`Views must be of the same images, got ${rows.join(', ')} rows.`);
  const mean = Float64Array.from(views[0]!, (_, at) => views.reduce((sum, view) => sum + view[at]!, 0) / views.length);
  const { labels } = mostLikely(mean, classes);
  const agreement = new Float32Array(rows[0]!);
  const disagreement = Float32Array.from(labels, (_, i) => entropy(mean, i, classes));
  for (const view of views) {
    const own = mostLikely(view, classes).labels;
    for (const [i, label] of labels.entries()) {
      if (own[i] === label) agreement[i]! += 1 / views.length;
      disagreement[i]! -= entropy(view, i, classes) / views.length;
    }
  }
  return {
    probabilities: Float32Array.from(mean),
    // Sums of thirds and rounding may pass the limits.
    agreement: agreement.map((share) => Math.min(1, share)),
    disagreement: disagreement.map((value) => Math.max(0, value)),
  };
}

function entropy(probabilities: Probabilities, row: number, classes: number): number {
  let sum = 0;
  for (let at = row * classes; at < (row + 1) * classes; at++)
    if (probabilities[at]! > 0) sum -= probabilities[at]! * Math.log(probabilities[at]!);
  return sum;
}
