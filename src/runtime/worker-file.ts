import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import { RunError } from '../core/errors.ts';

/**
 * The file of a worker thread that lies at `path` beside the module at `base` (its `import.meta.url`).
 * Worker threads can't load TypeScript: from sources, the built file of the same name serves.
 * @example
 * workerFile('./engine-worker.ts', import.meta.url);
 */
export function workerFile(path: string, base: string): URL {
  const file = builtFile(path, base);
  if (base.endsWith('.ts') && !existsSync(file))
    throw new RunError(`${fileURLToPath(file)} is missing: run "npm run build" before running from the sources.`);
  return file;
}
