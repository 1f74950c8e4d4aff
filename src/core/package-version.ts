import { readFileSync } from 'node:fs';

/** Gleaner's own version, as its package.json says. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
