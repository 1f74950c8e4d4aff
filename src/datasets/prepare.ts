import type { Dataset } from './dataset.ts';
import { findDuplicates, type Duplicates } from './duplicates.ts';
import { readDataset, type ReadDatasetOptions } from './read.ts';
import { resolveDuplicates, type Leak } from './resolve-duplicates.ts';

export interface PrepareOptions extends ReadDatasetOptions {
  /** Leave out train copies of val and test images. */
  readonly dropLeaks?: boolean;
}

export interface Prepared {
  /** Without what does not decode, conflicts, and unlabelled copies of val and test images. */
  readonly dataset: Dataset;
  readonly duplicates: Duplicates;
  readonly leaks: readonly Leak[];
}

/**
 * Reads data and decodes every image once to find duplicates: what training starts from.
 * @throws InputError as `readDataset`.
 * @example
 * const { dataset, duplicates } = await prepareDataset('photos');
 * const protocol = protocolOf(dataset, duplicates.groups, { seed: 0 });
 */
export async function prepareDataset(path: string, options: PrepareOptions = {}): Promise<Prepared> {
  const read = await readDataset(path, options);
  const duplicates = await findDuplicates(read.samples, options);
  return { ...resolveDuplicates(read, duplicates, options), duplicates };
}
