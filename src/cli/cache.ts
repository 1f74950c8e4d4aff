import type { Command } from 'commander';
import { cacheClear, cacheContents } from '../index.ts';
import { choice, defineCommand, type CommonOptions } from './command.ts';
import { table } from './output.ts';

export function cacheCommand(): Command {
  return defineCommand<CommonOptions>(
    'cache [action]',
    'What is cached (backbones, images, features, tuning) and where; `clear` empties it',
    ['cache', 'cache clear'],
    () => {},
    async ([action], _flags, { output }) => {
      if (action !== undefined && action !== 'clear') choice('', '', ['clear']).parseArg?.(action, undefined);
      const contents = action === 'clear' ? await cacheClear() : await cacheContents();
      output.text(`${contents.folder}${action === 'clear' ? ' (cleared)' : ''}`);
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
