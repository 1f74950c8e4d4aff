import { Command } from 'commander';
import { checkData } from '../index.ts';
import { choice, defineCommand, integer, number, type CommonOptions } from './command.ts';
import { table } from './output.ts';

type CheckFlags = CommonOptions & {
  dataLayout?: string;
  labelsList?: string;
  labelsPerClass?: number;
  followLinks?: boolean;
  maxPixels?: number;
};

export function dataCommand(): Command {
  return new Command('data').description('Looks at a data set').addCommand(
    defineCommand<CheckFlags>(
      'check <data>',
      'What is read from a data set: classes, splits, files that are left out, duplicates, conflicts',
      ['data check photos', 'data check labels.csv --json'],
      (command) =>
        command
          .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
          .option('--labels-list <file>', 'names of the images that keep their label')
          .option('--labels-per-class <k>', 'labels kept a class', integer(1))
          .option('--follow-links', 'follow symbolic links out of the data folder')
          .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001)),
      async ([data], flags, { output, signal }) => {
        const {
          json: _json,
          quiet: _quiet,
          device: _device,
          threads: _threads,
          dataLayout,
          maxPixels,
          ...rest
        } = flags;
        const result = await checkData(data!, {
          ...rest,
          ...(dataLayout !== undefined && { layout: dataLayout as 'auto' | 'classes' | 'splits' }),
          ...(maxPixels !== undefined && { maxPixels: maxPixels * 1e6 }),
          signal,
          onProgress: output.progress,
        });
        output.text(result.description);
        const splits = Object.keys(result.counts);
        output.text('');
        output.text(
          table(
            ['class', ...splits],
            result.classes.map((name) => [name, ...splits.map((split) => result.counts[split]?.[name] ?? 0)]),
          ),
        );
        for (const { file, reason } of result.quarantined) output.text(`left out: ${file}: ${reason}`);
        output.jsonLine({ type: 'result', ...result });
      },
    ),
  );
}
