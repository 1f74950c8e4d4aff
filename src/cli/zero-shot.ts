import type { Command } from 'commander';
import { zeroShot } from '../index.ts';
import { defineCommand, number, type CommonOptions } from './command.ts';
import { preprocessingFlags } from './training-flags.ts';

interface ZeroShotFlags extends CommonOptions {
  readonly backbone: string;
  readonly out: string;
  readonly classes?: string;
  readonly template?: string[];
  readonly textModel?: string;
  readonly textEmbeddings?: string;
  readonly logitScale?: number;
}

export function zeroShotCommand(): Command {
  return defineCommand<ZeroShotFlags>(
    'zero-shot [data]',
    'Makes a classifier from the names of its classes, by a network that reads text (CLIP): a teacher without a label',
    [
      'zero-shot --backbone hf:Xenova/clip-vit-base-patch32 --classes dress,hat,shoes --out clothes.onnx',
      'distill photos --teacher clothes.onnx --student mobilenetv2_100',
    ],
    (command) => {
      command
        .requiredOption('--backbone <file|url|hf:owner/repo>', 'image side of a CLIP')
        .requiredOption('--out <file>', 'the classifier to write (.onnx)')
        .option('--classes <names>', 'with commas; default: the classes of DATA')
        .option('--template <text...>', 'what is said of a class, {} its name (default: "a photo of a {}.")')
        .option('--text-model <folder|hf:owner/repo>', 'where the text side is (default: beside the image side)')
        .option('--text-embeddings <file>', 'in its place: JSON with a list of numbers for each class')
        .option('--logit-scale <x>', 'what cosines are multiplied by (default: 100)', number(0));
      preprocessingFlags(command);
    },
    async ([data], flags, { output, signal }) => {
      const { backbone, out, classes, template, textModel, textEmbeddings, logitScale, ...others } = flags;
      const { json: _json, quiet: _quiet, seed: _seed, device: _device, threads: _threads, ...preprocessing } = others;
      const result = await zeroShot(
        {
          backbone,
          out,
          ...(data !== undefined && { data }),
          ...(classes !== undefined && { classes: classes.split(',').map((name) => name.trim()) }),
          ...(template !== undefined && { templates: template }),
          ...(textModel !== undefined && { textModel }),
          ...(textEmbeddings !== undefined && { textEmbeddings }),
          ...(logitScale !== undefined && { logitScale }),
          preprocessing,
        },
        { signal, onProgress: output.progress },
      );
      output.text(
        `Wrote ${result.file}: ${result.classes.length} classes. Next: gleaner evaluate ${result.file} DATA, or`,
      );
      output.text(`gleaner distill DATA --teacher ${result.file} --student mobilenetv2_100`);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
