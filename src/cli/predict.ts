import { text } from 'node:stream/consumers';
import { InvalidArgumentError, type Command } from 'commander';
import { csvRow } from '../core/csv.ts';
import { InputError } from '../core/errors.ts';
import { Predictor } from '../predict.ts';
import { defineCommand, integer, number, type CommonOptions } from './command.ts';
import { percent } from './output.ts';

type PredictFlags = CommonOptions & { top?: number; csv?: boolean; maxPixels?: number; temperature?: number[] };

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
        .option('--temperature <t,...>', 'print the probabilities softened at each temperature, too', temperatures)
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
      const asked = flags.temperature ?? [];
      const softened = asked.flatMap((t) => predictor.classes.map((name) => `${name} at T ${t}`));
      const columns = [...predictor.classes, ...softened, ...(predictor.scoresOutliers ? ['outlier score'] : [])];
      let count = 0;
      let errors = 0;
      try {
        if (flags.csv && !flags.json)
          process.stdout.write(`${csvRow(['file', 'label', 'probability', ...columns, 'error'])}\n`);
        for await (const line of predictor.predictAll(inputs, { signal, temperatures: asked })) {
          count++;
          if ('error' in line) errors++;
          if (flags.json) {
            output.jsonLine({ type: 'prediction', ...line });
          } else if (flags.csv) {
            const row =
              'error' in line
                ? [line.file, '', '', ...columns.map(() => ''), line.error]
                : [
                    line.file,
                    line.label,
                    line.probability,
                    ...[line, ...(line.softened ?? [])].flatMap(({ probabilities }) =>
                      predictor.classes.map((name) => probabilities[name] ?? 0),
                    ),
                    ...(line.outlierScore === undefined ? [] : [line.outlierScore]),
                    '',
                  ];
            process.stdout.write(`${csvRow(row)}\n`);
          } else if ('error' in line) {
            output.warn(`${line.file}: ${line.error}`);
          } else {
            const shown = (probabilities: Readonly<Record<string, number>>): string =>
              Object.entries(probabilities)
                .toSorted((a, b) => b[1] - a[1])
                .slice(0, flags.top ?? 1)
                .map(([name, p]) => `${name} ${percent(p)}`)
                .join(', ');
            const below = line.outlier
              ? ` (looks like none of the classes: outlier score ${line.outlierScore!.toFixed(2)}, at most ${predictor.outlierThreshold!.toFixed(2)})`
              : line.abstain
                ? ' (below the abstain threshold)'
                : '';
            output.text(`${line.file}: ${shown(line.probabilities)}${below}`);
            for (const { temperature, probabilities, entropy } of line.softened ?? [])
              output.text(`  at T ${temperature}: ${shown(probabilities)} (entropy ${entropy.toFixed(3)} nats)`);
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

function temperatures(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !(value > 0 && Number.isFinite(value))))
    throw new InvalidArgumentError('Expected numbers over 0 with commas, for instance 1,4,10.');
  return values;
}
