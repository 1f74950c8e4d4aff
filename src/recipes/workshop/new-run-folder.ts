import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The first free `runs/N`, so that a default never touches an earlier run. */
export function newRunFolder(): string {
  for (let i = 1; ; i++) {
    const folder = join('runs', String(i).padStart(3, '0'));
    if (!existsSync(folder)) return folder;
  }
}
