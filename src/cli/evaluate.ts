import type { Command } from 'commander';
import { evaluate } from '../index.ts';
import { choice, defineCommand, number, type CommonOptions } from './command.ts';
import { percent, table } from './output.ts';

type EvaluateFlags = CommonOptions & { split?: string; dataLayout?: string; maxPixels?: number };

export function evaluateCommand(): Command {
  return defineCommand<EvaluateFlags>(
    'evaluate <model> <data>',
    'Scores a model on labelled images; classes are matched by name',
    ['evaluate runs/digits/model.onnx photos', 'evaluate model.onnx photos --split val --json'],
    (command) =>
      command
        .addOption(
          choice('--split <name>', 'part that is scored; default: test, else all labelled images', [
            'train',
            'val',
            'test',
            'all',
          ]),
        )
        .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
        .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001)),
    async ([model, data], flags, { output, signal }) => {
      const result = await evaluate(model!, data!, {
        ...(flags.device !== undefined && { device: flags.device }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        ...(flags.split !== undefined && { split: flags.split as 'train' | 'val' | 'test' | 'all' }),
        ...(flags.dataLayout !== undefined && { layout: flags.dataLayout as 'auto' | 'classes' | 'splits' }),
        ...(flags.maxPixels !== undefined && { maxPixels: flags.maxPixels * 1e6 }),
        signal,
        onProgress: output.progress,
      });
      output.text(
        `Accuracy ${percent(result.accuracy)} (95 % interval ${percent(result.interval[0])} to ${percent(result.interval[1])}) on ${result.n} images (${result.split}).`,
      );
      output.text(
        `Balanced accuracy ${percent(result.balancedAccuracy)}, macro F1 ${result.macroF1.toFixed(3)}, calibration error ${percent(result.calibrationError)}.`,
      );
      if (result.setAside !== undefined)
        output.text(
          `${percent(result.setAside)} of the images look like none of the classes to the model; they are scored like the others.`,
        );
      output.text('');
      output.text(
        table(
          ['class', 'images', 'precision', 'recall', 'F1'],
          Object.entries(result.perClass).map(([name, c]) => [
            name,
            c.support,
            c.precision === undefined ? '-' : percent(c.precision),
            c.recall === undefined ? '-' : percent(c.recall),
            c.f1 === undefined ? '-' : c.f1.toFixed(3),
          ]),
        ),
      );
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
