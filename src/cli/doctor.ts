import type { Command } from 'commander';
import { doctor } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';
import { table } from './output.ts';

export function doctorCommand(): Command {
  return defineCommand<CommonOptions & { tuning?: boolean }>(
    'doctor',
    'What this machine offers: engine, devices, cores, memory, disk, and a ten-second self-test',
    ['doctor', 'doctor --json', 'doctor --tuning'],
    (command) => command.option('--tuning', 'list what was measured about lowerings on this machine'),
    async (_args, flags, { output, signal }) => {
      const report = await doctor({
        ...(flags.threads !== undefined && { threads: flags.threads }),
        tuning: flags.tuning ?? false,
        signal,
      });
      output.text(
        table(
          ['', ''],
          report.lines.map(([name, value]) => [name, value]),
        ),
      );
      output.jsonLine({ type: 'result', ...report.data });
    },
  );
}
