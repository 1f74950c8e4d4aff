import type { Command } from 'commander';
import { CACHE_PARTS, cacheClear, cacheContents, type CachePart } from '../index.ts';
import { choice, defineCommand, type CommonOptions } from './command.ts';
import { table } from './output.ts';

export function cacheCommand(): Command {
  return defineCommand<CommonOptions>(
    'cache [action] [parts...]',
    'What is cached (backbones, images, features, tuning) and where; `clear` empties all of it or the parts named',
    ['cache', 'cache clear', 'cache clear tuning'],
    () => {},
    async ([action, ...named], _flags, { output }) => {
      if (action !== undefined && action !== 'clear') choice('', '', ['clear']).parseArg?.(action, undefined);
      for (const part of named) choice('', '', CACHE_PARTS).parseArg?.(part, undefined);
      const parts = named.length > 0 ? (named as CachePart[]) : CACHE_PARTS;
      const contents = action === 'clear' ? await cacheClear(parts) : await cacheContents();
      const cleared = named.length > 0 ? ` (cleared: ${named.join(', ')})` : ' (cleared)';
      output.text(`${contents.folder}${action === 'clear' ? cleared : ''}`);
      output.text(
        table(
          ['part', 'files', 'bytes'],
          contents.parts.map((part) => [part.name, part.files, part.bytes]),
        ),
      );
      output.jsonLine({ type: 'result', ...contents });
    },
  );
}
