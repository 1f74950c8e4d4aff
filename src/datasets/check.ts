import { countPerClass, type Conflict, type Dataset, type Layout, type Quarantined, type Split } from './dataset.ts';
import type { DuplicatePair } from './duplicates.ts';
import { membersOf } from './groups.ts';
import { prepareDataset, type PrepareOptions } from './prepare.ts';
import type { Leak } from './resolve-duplicates.ts';

/** The result of `gleaner data check`. */
export interface DataCheck {
  readonly type: 'result';
  readonly root: string;
  readonly layout: Layout;
  readonly classes: readonly {
    readonly name: string;
    readonly train: number;
    readonly val: number;
    readonly test: number;
  }[];
  /** Images in each split, labelled or not, after conflicts and leaks have left. */
  readonly images: Readonly<Record<Split, number>>;
  readonly quarantined: readonly Quarantined[];
  readonly duplicates: { readonly groups: readonly (readonly string[])[]; readonly pairs: readonly DuplicatePair[] };
  /** How many groups images belong to, by `group`. */
  readonly groups: number;
  readonly conflicts: readonly Conflict[];
  readonly leaks: readonly Leak[];
  readonly ignored: readonly string[];
  readonly warnings: readonly string[];
  /** Where several annotators were joined. */
  readonly annotation?: Dataset['annotation'];
  readonly fingerprint: string;
}

/**
 * Everything that is to be known of a data folder or manifest before training on it.
 * @throws InputError as `readDataset`.
 */
export async function checkData(path: string, options: PrepareOptions = {}): Promise<DataCheck> {
  const { dataset, duplicates, leaks } = await prepareDataset(path, options);
  const { root, layout, classes, samples, quarantined, conflicts, ignored, warnings, fingerprint } = dataset;
  const [train, val, test] = [
    countPerClass(dataset, 'train'),
    countPerClass(dataset, 'val'),
    countPerClass(dataset, 'test'),
  ];
  const images = { train: 0, val: 0, test: 0, unlabeled: 0 };
  for (const { split } of samples) images[split]++;
  return {
    type: 'result',
    root,
    layout,
    classes: classes.map((name, i) => ({ name, train: train[i]!, val: val[i]!, test: test[i]! })),
    images,
    quarantined,
    duplicates: { groups: duplicates.copies, pairs: duplicates.pairs },
    groups: membersOf(samples).size,
    conflicts,
    leaks,
    ignored,
    warnings,
    ...(dataset.annotation !== undefined && { annotation: dataset.annotation }),
    fingerprint,
  };
}
