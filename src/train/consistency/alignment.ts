import type { Fragment } from './fragment.ts';
import type { AlignmentOptions } from './options.ts';

/**
 * Distribution alignment: probabilities [M, K] times wanted / seen, made to sum to 1 again (ReMixMatch, Berthelot et al.
 * 2020, arXiv:1911.09785, section 3.1). `seen` is the moving average of what is predicted on unlabelled images; wanted
 * are all classes alike (SoftMatch, Chen et al. 2023, arXiv:2301.10921, equation 10), or the moving average of what is
 * predicted on labelled images (AdaMatch, Berthelot et al. 2022, arXiv:2106.04732, section 3.2), or told shares.
 * @param labelled probabilities of labelled images [N, K]
 */
export function aligned(f: Fragment, probabilities: string, labelled: string, { to }: AlignmentOptions): string {
  const classes = f.builder.shape(probabilities)[1] as number;
  const mean = (name: string, rows: string): string => f.average(name, f.reduce('Mean', rows, [0]));
  const seen = mean('aligned_from', probabilities);
  const wanted =
    to === 'uniform'
      ? f.row(Array.from({ length: classes }, () => 1 / classes))
      : to === 'labelled'
        ? mean('aligned_to', labelled)
        : f.row(to);
  return f.normalised(f.op('Mul', [probabilities, f.divide(wanted, seen)]));
}
