import { Command } from 'commander';
import { checkData } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';
import { auditCommand } from './data-audit.ts';
import { dataExportCommand } from './data-export.ts';
import { labelsCommand } from './data-labels.ts';
import { table } from './output.ts';
import { readingFlags, readingOptions, type ReadingFlags } from './reading-flags.ts';

export function dataCommand(): Command {
  return new Command('data')
    .description('Looks at a data set')
    .addCommand(
      defineCommand<CommonOptions & ReadingFlags>(
        'check <data>',
        'What is read from a data set: classes, splits, files that are left out, duplicates, conflicts',
        ['data check photos', 'data check labels.csv --json', "data check photos --group '(patient\\d+)'"],
        readingFlags,
        async ([data], flags, { output, signal }) => {
          const { json: _json, quiet: _quiet, device: _device, threads: _threads, ...rest } = flags;
          const result = await checkData(data!, {
            ...readingOptions(rest),
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
          if (result.groups > 0) output.text(`${result.groups} groups that are never split`);
          for (const group of result.duplicates.groups) output.text(`copies: ${group.join(', ')}`);
          for (const { files, labels } of result.conflicts)
            output.text(`conflict: ${files.map((file, i) => `${file} (${labels[i]})`).join(', ')}`);
          for (const { files, group } of result.leaks)
            output.text(`in two parts: ${files.join(', ')}${group === undefined ? '' : ` (group ${group})`}`);
          for (const name of result.ignored) output.text(`ignored: ${name}`);
          for (const warning of result.warnings) output.warn(warning);
          output.jsonLine({ ...result });
        },
      ),
    )
    .addCommand(auditCommand())
    .addCommand(labelsCommand())
    .addCommand(dataExportCommand());
}
