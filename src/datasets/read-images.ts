import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InputError } from '../core/errors.ts';
import { shownName, type Sample } from './dataset.ts';
import { readDataset, type ReadDatasetOptions } from './read.ts';
import { parquetShards } from './read-parquet.ts';
import { readSamples } from './read-samples.ts';
import { walk } from './walk.ts';

/**
 * Every image below a folder, however it is ordered, or of a manifest: what is looked at without labels.
 * @throws InputError where there is no such folder, or no image in it. AbortedError by `signal`.
 */
export async function readImages(path: string, options: ReadDatasetOptions = {}): Promise<readonly Sample[]> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() !== true) return (await readDataset(path, options)).samples;
  const tree = await walk(resolve(path), options);
  if (parquetShards(tree, path).length > 0)
    return (await readDataset(path, { ...options, labelsOptional: true })).samples;
  const candidates = tree.files.map((found) => ({ ...found, split: 'unlabeled' as const }));
  const { samples } = await readSamples(candidates, [], options);
  if (samples.length === 0) throw new InputError(`${shownName(path)} holds no image that can be read.`);
  return samples;
}
