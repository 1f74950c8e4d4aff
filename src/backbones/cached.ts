import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePart } from '../core/cache-folder.ts';

/** ONNX files among the backbones that were downloaded before, in a fixed order. */
export async function cachedBackbones(): Promise<string[]> {
  const entries = await readdir(cachePart('backbones'), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.onnx'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
}
