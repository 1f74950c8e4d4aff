import type { Fragment } from './fragment.ts';
import { meanPrediction } from './threshold.ts';

/**
 * FreeMatch's self-adaptive fairness, -H(SumNorm(p / h), SumNorm(q / k)) = sum over classes of SumNorm(p / h) ln SumNorm(q / k)
 * (Wang et al. 2023, arXiv:2205.07246, equations 9 to 12). p and h are moving averages, of predictions on weak views and of
 * the histogram of their classes; q and k are the same of the strong views whose labels count. A class that no view has
 * is left out, as in the authors' code; where no label counts the loss is 0.
 * @param weights what labels count for, [M]; those over 0 count
 * @returns a scalar
 */
export function fairness(f: Fragment, probabilities: string, weights: string, strongLogits: string): string {
  const mean = (rows: string): string => f.reduce('Mean', rows, [0]);
  const histogram = f.average('class_histogram', mean(f.oneHot(probabilities)));
  const wanted = perHistogram(f, meanPrediction(f, probabilities), histogram);

  const counts = f.op('Unsqueeze', [f.atLeast(weights, 1e-6), f.builder.int([1])]);
  const number = f.reduce('Sum', counts);
  const ofCounted = (rows: string): string => f.divide(f.reduce('Sum', f.op('Mul', [rows, counts]), [0]), number);
  const strong = f.op('Softmax', [strongLogits], { axis: 1 });
  const seen = perHistogram(f, ofCounted(strong), ofCounted(f.oneHot(strong)));
  const sum = f.reduce('Sum', f.op('Mul', [wanted, f.log(seen)]));
  return f.op('Mul', [sum, f.atLeast(number, 1)]);
}

/** SumNorm(shares / histogram), 0 for classes that the histogram lacks. */
function perHistogram(f: Fragment, shares: string, histogram: string): string {
  const isThere = f.atLeast(histogram, 1e-6);
  return f.normalised(f.op('Mul', [f.divide(shares, histogram), isThere]));
}
