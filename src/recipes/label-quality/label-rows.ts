import { csvRow } from '../../core/csv.ts';
import type { LabelCheck } from './check-labels.ts';

/** Judged labels as CSV, the least believed first: with its labels put right it can be read as a manifest. */
export function labelRows({ labels }: Pick<LabelCheck, 'labels'>): string {
  const rows = labels.map(({ file, label, split, probable, believed, probability, suspected }) =>
    csvRow([file, label, split, probable, believed.toFixed(4), probability.toFixed(4), suspected ? 'yes' : 'no']),
  );
  return [csvRow(['path', 'label', 'split', 'probable', 'believed', 'probability', 'suspected']), ...rows, ''].join(
    '\n',
  );
}
