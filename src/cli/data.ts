import { Command } from 'commander';
import { checkData } from '../index.ts';
import { choice, defineCommand, integer, number, type CommonOptions } from './command.ts';
import { auditCommand } from './data-audit.ts';
import { table } from './output.ts';

type CheckFlags = CommonOptions & {
  dataLayout?: string;
  labelsList?: string;
  labelsPerClass?: number;
  followLinks?: boolean;
  maxPixels?: number;
};

export function dataCommand(): Command {
  return new Command('data')
    .description('Looks at a data set')
    .addCommand(
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
          output.text(`${result.root}: ${result.layout}, ${result.images.unlabeled} unlabelled images.`);
          output.text('');
          output.text(
            table(
              ['class', 'train', 'val', 'test'],
              result.classes.map(({ name, train, val, test }) => [name, train, val, test]),
            ),
          );
          output.text('');
          for (const { file, reason } of result.quarantined) output.text(`quarantined: ${file}: ${reason}`);
          for (const group of result.duplicates.groups) output.text(`copies: ${group.join(', ')}`);
          for (const { files, labels } of result.conflicts)
            output.text(`conflict: ${files.map((file, i) => `${file} (${labels[i]})`).join(', ')}`);
          for (const { files } of result.leaks) output.text(`in two parts: ${files.join(', ')}`);
          for (const name of result.ignored) output.text(`ignored: ${name}`);
          for (const warning of result.warnings) output.warn(warning);
          output.jsonLine({ ...result });
        },
      ),
    )
    .addCommand(auditCommand());
}
