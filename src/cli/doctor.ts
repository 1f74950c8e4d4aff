import type { Command } from 'commander';
import { doctor, doctorLines } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';
import { table } from './output.ts';

export function doctorCommand(): Command {
  return defineCommand<CommonOptions & { tuning?: boolean }>(
    'doctor',
    'What this machine offers: engine, devices, cores, memory, disk, and a ten-second self-test',
    ['doctor', 'doctor --json', 'doctor --tuning'],
    (command) => command.option('--tuning', 'list what was measured about lowerings on this machine'),
    async (_args, flags, { output, signal }) => {
      const report = await doctor({ ...(flags.threads !== undefined && { threads: flags.threads }), signal });
      output.text(table(['', ''], doctorLines(report)));
      if (flags.tuning === true)
        output.text(
          table(
            ['tuned for', 'op and shape', 'milliseconds by lowering'],
            report.tuning.flatMap(({ conditions, times }) =>
              Object.entries(times).map(([key, candidates]) => [
                `${conditions.device}, ${conditions.threads} threads`,
                key,
                Object.entries(candidates)
                  .map(([name, ms]) => `${name} ${ms === null ? 'failed' : ms.toFixed(2)}`)
                  .join(', '),
              ]),
            ),
          ),
        );
      output.jsonLine({ type: 'result', ...report });
    },
  );
}
