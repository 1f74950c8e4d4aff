import type { Command } from 'commander';
import { pretrain, resumePretraining, type PretrainOptions } from '../index.ts';
import { checkDataOrResume } from './data-or-resume.ts';
import { defineCommand, integer, number, choice, type CommonOptions } from './command.ts';
import { preprocessingFlags } from './training-flags.ts';

type PretrainFlags = CommonOptions & Omit<PretrainOptions, 'data'> & { resume?: string };

export function pretrainCommand(): Command {
  return defineCommand<PretrainFlags>(
    'pretrain [data]',
    'Pretrains a network on images without their labels: a backbone for train, where ImageNet is far',
    [
      'pretrain photos --model cifar_resnet20 --epochs 200 --out runs/pretrained',
      'train photos --backbone runs/pretrained/backbone.onnx',
      'pretrain x-rays --backbone mobilenet_v2.onnx',
      'pretrain --resume runs/pretrained',
    ],
    (command) => {
      command
        .option('--backbone <file|url|hf:owner/repo>', 'network to go on from')
        .option('--model <name>', 'built-in network, from random weights')
        .option('--out <run>', 'folder of the run (default: a new one under runs/)')
        .option('--resume <run>', 'continue an interrupted run; stands alone')
        .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
        .option('--follow-links', 'follow symbolic links out of the data folder')
        .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001));
      preprocessingFlags(command)
        .option('--epochs <n>', 'passes over the images', integer(1))
        .option('--batch-size <n>', 'images a step, each in two views (default: 64)', integer(1))
        .option('--lr <rate>', 'learning rate', number(0))
        .option('--weight-decay <x>', 'not applied to norms and biases', number(0))
        .option('--momentum <x>', 'of sgd', number(0, 0.9999))
        .option('--warmup-epochs <n>', 'epochs of linear warm-up', number(0))
        .option('--augment <policy>', 'how the two views of an image are drawn (docs/augmentation.md)')
        .option('--width <n>', 'of projection and prediction, which are thrown away after', integer(16))
        .option('--recompute <k>', "keep every k-th block's values, compute the rest again: saves memory", integer(1))
        .option('--engine <file>', "use an engine.json's choices again");
    },
    async ([data], flags, { output, signal }) => {
      const { resume, json: _json, quiet: _quiet, ...given } = flags;
      const control = { signal, onProgress: output.progress };
      checkDataOrResume(data, flags, 'gleaner pretrain DATA');
      const result =
        resume === undefined
          ? await pretrain({ ...given, data: data! }, control)
          : await resumePretraining(resume, control);
      output.text('');
      output.text(
        `Learnt from ${result.images} images; the last epoch's loss is ${result.loss.toFixed(3)} (-1 is the least), images differ by ${result.spread.toFixed(2)} (0: collapsed, 1: as random ones).`,
      );
      output.text(`Backbone: ${result.backbone}`);
      output.text(`Try:      npx gleaner train DATA --backbone ${result.backbone}`);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
