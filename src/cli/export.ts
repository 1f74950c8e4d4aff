import type { Command } from 'commander';
import { exportRun, type ExportOptions } from '../index.ts';
import { choice, defineCommand, type CommonOptions } from './command.ts';
import { percent, table } from './output.ts';

type ExportFlags = CommonOptions & { out?: string; variant?: string };

export function exportCommand(): Command {
  return defineCommand<ExportFlags>(
    'export <run>',
    "Writes a run's model: float32, bare (tensor in, logits out), float16 or int8, each measured",
    ['export runs/digits --variant bare', 'export runs/digits --variant int8 --out digits.int8.onnx'],
    (command) => {
      command
        .addOption(choice('--variant <name>', 'which form', ['float32', 'bare', 'float16', 'int8']).default('float32'))
        .option('--out <file>', 'where to write it (default: beside the model of the run)');
    },
    async ([run], flags, { output, signal }) => {
      const result = await exportRun(run!, {
        variant: (flags.variant ?? 'float32') as ExportOptions['variant'],
        ...(flags.device !== undefined && { device: flags.device }),
        ...(flags.out !== undefined && { out: flags.out }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        signal,
        onProgress: output.progress,
      });
      output.text(`Wrote ${result.file}.`);
      output.text(
        table(
          ['variant', 'accuracy', 'bytes', 'ms an image'],
          result.measured.map((m) => [
            m.variant,
            m.accuracy === undefined ? '-' : percent(m.accuracy),
            m.bytes,
            m.millisecondsPerImage.toFixed(1),
          ]),
        ),
      );
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
