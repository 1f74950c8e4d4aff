import type { ObjectiveValues } from '../objective.ts';
import type { Fragment } from './fragment.ts';
import { MIXED, trainedRows, type ConsistencyOptions } from './options.ts';

/** [N ratio, K]: the mean over the views of each image, of [N views ratio, K]. */
export function meanOfViews(
  f: Fragment,
  probabilities: string,
  { count, weakViews, classes }: { readonly count: number; readonly weakViews: number; readonly classes: number },
): string {
  if (weakViews === 1) return probabilities;
  const b = f.builder;
  const byView = b.op('Reshape', [probabilities, b.int([count, weakViews, -1, classes])]);
  return b.op('Reshape', [f.reduce('Mean', byView, [1]), b.int([-1, classes])]);
}

/**
 * What is learnt on mixed images: the labels of a row and its partner, by the shares of their pixels (MixMatch, Berthelot
 * et al. 2019, arXiv:1905.02249, equations 8 to 11 and algorithm 1).
 * @param target of the unlabelled images, [N ratio, K], the same for each view
 * @returns distributions, of labelled images [N, K] and of each view of the unlabelled ones [N ratio, K]
 */
export function mixedTargets(
  f: Fragment,
  options: ConsistencyOptions,
  target: string,
  { labels, targets }: Pick<ObjectiveValues, 'labels' | 'targets'>,
): { readonly labelled: string; readonly unlabelled: readonly string[] } {
  const b = f.builder;
  const { classes, ratio, strongViews } = options;
  const rows = trainedRows(options);
  const own =
    b.type(labels).dtype === 'int64' ? b.op('OneHot', [labels, b.int(classes), b.float([0, 1])], { axis: 1 }) : labels;
  const samples = b.shape(own)[0]!;
  const ofViews = Array.from({ length: strongViews }, () =>
    b.op('Reshape', [target, b.int([samples, ratio, classes])]),
  );
  const together = b.op('Concat', [b.op('Unsqueeze', [own, b.int([1])]), ...ofViews], { axis: 1 });
  const all = b.op('Reshape', [together, b.int([samples * rows, classes])]);
  const flat = (name: string, shape: readonly number[]): string => b.op('Reshape', [targets.get(name)!, b.int(shape)]);
  const partner = b.op('Cast', [flat(MIXED.partner, [-1])], { to: 7 });
  const share = flat(MIXED.share, [-1, 1]);
  const mixed = f.op('Add', [
    f.op('Mul', [all, share]),
    f.op('Mul', [b.op('Gather', [all, partner], { axis: 0 }), f.op('Sub', [1, share])]),
  ]);
  const bySample = b.op('Reshape', [mixed, b.int([samples, rows, classes])]);
  const between = (from: number, to: number): string =>
    b.op('Reshape', [b.op('Slice', [bySample, b.int([from]), b.int([to]), b.int([1])]), b.int([-1, classes])]);
  return {
    labelled: between(0, 1),
    unlabelled: Array.from({ length: strongViews }, (_, view) => between(1 + view * ratio, 1 + (view + 1) * ratio)),
  };
}
