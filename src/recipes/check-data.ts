import type { OnProgress } from '../core/progress.ts';
import { describeDataset } from '../datasets/describe.ts';
import { readDataset, type ReadDatasetOptions } from '../datasets/read.ts';

export interface DataCheck {
  /** What was understood, for a person. */
  readonly description: string;
  readonly classes: readonly string[];
  /** Labelled images by part and class. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly quarantined: readonly { readonly file: string; readonly reason: string }[];
  readonly [key: string]: unknown;
}

export async function checkData(
  path: string,
  options: ReadDatasetOptions & { readonly onProgress?: OnProgress } = {},
): Promise<DataCheck> {
  const dataset = await readDataset(path, options);
  const { classes, samples, quarantined, conflicts, ignored, warnings, layout } = dataset;
  const counts: Record<string, Record<string, number>> = {};
  for (const { split, label } of samples) {
    const part = (counts[split] ??= {});
    const name = label === undefined ? 'unlabeled' : classes[label]!;
    part[name] = (part[name] ?? 0) + 1;
  }
  return { description: describeDataset(dataset), layout, classes, counts, quarantined, conflicts, ignored, warnings };
}
