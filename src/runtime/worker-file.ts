import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RunError } from '../core/errors.ts';

/**
 * The file of a worker thread that lies at `path` beside the module at `base` (its `import.meta.url`).
 * Worker threads can't load TypeScript: from sources, the built file of the same name serves.
 * @example
 * workerFile('./engine-worker.ts', import.meta.url);
 */
export function workerFile(path: string, base: string): URL {
  const file = new URL(path, base);
  if (!base.endsWith('.ts')) {
    file.pathname = file.pathname.replace(/\.ts$/, '.js');
    return file;
  }
  const built = new URL(file.href.replace(/\/src\/(?!.*\/src\/)/, '/dist/').replace(/\.ts$/, '.js'));
  if (!existsSync(built))
    throw new RunError(`${fileURLToPath(built)} is missing: run "npm run build" before running from the sources.`);
  return built;
}
