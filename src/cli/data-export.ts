import type { Command } from 'commander';
import { DATA_FORMATS, exportData, type DataFormat } from '../index.ts';
import { choice, defineCommand, type CommonOptions } from './command.ts';
import { readingFlags, readingOptions, type ReadingFlags } from './reading-flags.ts';

type ExportFlags = CommonOptions & ReadingFlags & { format: DataFormat; out: string };

export function dataExportCommand(): Command {
  return defineCommand<ExportFlags>(
    'export <source>',
    "Writes a data set for another tool, of a run with its machines' labels and their evidence",
    [
      'data export runs/003 --format label-studio --out photos/tasks.json',
      'data export photos --format csv --out photos/labels.csv',
    ],
    (command) =>
      readingFlags(command)
        .addOption(choice('--format <name>', 'what is written', DATA_FORMATS).makeOptionMandatory())
        .requiredOption(
          '--out <file>',
          'where it is written; paths in it are relative to its folder, where images lie below',
        ),
    async ([source], flags, { output, signal }) => {
      const { json: _json, quiet: _quiet, device: _device, threads: _threads, ...rest } = flags;
      const result = await exportData(source!, { ...readingOptions(rest), signal, onProgress: output.progress });
      const { file, images, labelled, machineLabelled, round, relativeTo, imagesFolder } = result;
      output.text(`Wrote ${file}: ${images} images, ${labelled} with a label.`);
      if (round !== undefined) output.text(`${machineLabelled} labels of a machine (${round}) with their evidence.`);
      if (imagesFolder !== undefined) output.text(`Images were written to ${imagesFolder}.`);
      output.text(`Paths in it are relative to ${relativeTo}.`);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
