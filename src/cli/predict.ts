import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { csvRow } from '../core/csv.ts';
import { InputError } from '../core/errors.ts';
import { Predictor } from '../predict.ts';
import { defineCommand, integer, number, type CommonOptions } from './command.ts';
import { percent } from './output.ts';

type PredictFlags = CommonOptions & { top?: number; csv?: boolean; maxPixels?: number };

export function predictCommand(): Command {
  return defineCommand<PredictFlags>(
    'predict <model> [files...]',
    'Classifies images: files, folders, or a list on standard input (-)',
    [
      'predict runs/digits/model.onnx photo.jpg',
      'predict model.onnx photos --top 3',
      'find . -name "*.jpg" | gleaner predict model.onnx - --csv',
    ],
    (command) =>
      command
        .option('--top <k>', 'show the k likeliest classes', integer(1))
        .option('--csv', 'a CSV table on standard output')
        .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001)),
    async (args, flags, { output, signal }) => {
      const [model, ...files] = args as [string, ...string[]];
      const inputs = files.includes('-')
        ? [
            ...files.filter((file) => file !== '-'),
            ...(await text(process.stdin)).split(/\r?\n/).filter((line) => line !== ''),
          ]
        : files;
      if (inputs.length === 0)
        throw new InputError('Which images? Give files, folders, or - for a list on standard input.');
      const predictor = await Predictor.open(model, {
        ...(flags.device !== undefined && { device: flags.device }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        ...(flags.maxPixels !== undefined && { maxPixels: flags.maxPixels * 1e6 }),
      });
      let count = 0;
      let errors = 0;
      try {
        if (flags.csv && !flags.json)
          process.stdout.write(`${csvRow(['file', 'label', 'probability', ...predictor.classes, 'error'])}\n`);
        for await (const line of predictor.predictAll(inputs, { signal })) {
          count++;
          if ('error' in line) errors++;
          if (flags.json) {
            output.jsonLine({ type: 'prediction', ...line });
          } else if (flags.csv) {
            const row =
              'error' in line
                ? [line.file, '', '', ...predictor.classes.map(() => ''), line.error]
                : [
                    line.file,
                    line.label,
                    line.probability,
                    ...predictor.classes.map((name) => line.probabilities[name] ?? 0),
                    '',
                  ];
            process.stdout.write(`${csvRow(row)}\n`);
          } else if ('error' in line) {
            output.warn(`${line.file}: ${line.error}`);
          } else {
            const ranked = Object.entries(line.probabilities).toSorted((a, b) => b[1] - a[1]);
            const shown = ranked.slice(0, flags.top ?? 1).map(([name, p]) => `${name} ${percent(p)}`);
            output.text(`${line.file}: ${shown.join(', ')}${line.abstain ? ' (below the abstain threshold)' : ''}`);
          }
        }
      } finally {
        await predictor.dispose();
      }
      output.jsonLine({ type: 'result', files: count, errors });
      if (errors > 0) process.exitCode = 1;
    },
  );
}
