import type { Command } from 'commander';
import { pretrain, resumePretraining, type PretrainOptions } from '../index.ts';
import { checkDataOrResume } from './data-or-resume.ts';
import { defineCommand, integer, number, choice, type CommonOptions } from './command.ts';
import { readConfig } from './read-config.ts';
import { ofTeacher } from './teacher-flags.ts';
import { configFlag, preprocessingFlags, smallerFlags } from './training-flags.ts';

type PretrainFlags = CommonOptions & { config?: string; resume?: string };

export function pretrainCommand(): Command {
  return defineCommand<PretrainFlags>(
    'pretrain [data]',
    'Pretrains a network on images without their labels: a backbone for train, where ImageNet is far',
    [
      'pretrain photos --model cifar_resnet20 --epochs 200 --out runs/pretrained',
      'train photos --backbone runs/pretrained/backbone.onnx',
      'pretrain x-rays --backbone mobilenet_v2.onnx',
      'pretrain photos --backbone mobilenet_v1.onnx --teacher efficientnet_lite0.onnx',
      'pretrain --resume runs/pretrained',
    ],
    (command) => {
      command
        .option('--backbone <file|url|hf:owner/repo>', 'network to go on from')
        .option('--model <name>', 'built-in network, from random weights')
        .option('--out <run>', 'folder of the run (default: a new one under runs/)')
        .option('--resume <run>', 'continue an interrupted run; stands alone')
        .option('--teacher <file|url|hf:owner/repo>', 'larger network whose features are learnt, in place of SimSiam')
        .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
        .option('--follow-links', 'follow symbolic links out of the data folder')
        .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001));
      preprocessingFlags(preprocessingFlags(configFlag(command)), 'teacher-');
      smallerFlags(command)
        .option('--epochs <n>', 'passes over the images', integer(1))
        .option('--batch-size <n>', 'images a step, without a teacher each in two views (default: 64)', integer(1))
        .option('--lr <rate>', 'learning rate', number(0))
        .option('--weight-decay <x>', 'not applied to norms and biases', number(0))
        .option('--momentum <x>', 'of sgd', number(0, 0.9999))
        .option('--warmup-epochs <n>', 'epochs of linear warm-up', number(0))
        .option('--augment <policy>', 'how images are varied, or their two views (docs/augmentation.md)')
        .option('--width <n>', "of SimSiam's projection and prediction, which are thrown away after", integer(16))
        .option('--recompute <k>', "keep every k-th block's values, compute the rest again: saves memory", integer(1))
        .option('--engine <file>', "use an engine.json's choices again");
    },
    async ([data], flags, { output, signal }) => {
      const { config, resume, json: _json, quiet: _quiet, ...given } = flags;
      const control = { signal, onProgress: output.progress };
      checkDataOrResume(data, flags, 'gleaner pretrain DATA');
      const options = { ...(await readConfig(config)), ...ofTeacher(given), ...(data !== undefined && { data }) };
      const result =
        resume === undefined
          ? await pretrain(options as unknown as PretrainOptions, control)
          : await resumePretraining(resume, control);
      const { images, loss, spread, similarity, similarityBefore } = result;
      output.text('');
      output.text(
        spread === null
          ? `Learnt from ${images} images; on others its features, projected, and the teacher's have a cosine of ${similarity!.toFixed(2)}, ${similarityBefore!.toFixed(2)} before (1: the same).`
          : `Learnt from ${images} images; the last epoch's loss is ${loss.toFixed(3)} (-1 is the least), images differ by ${spread.toFixed(2)} (0: collapsed, 1: as random ones).`,
      );
      output.text(`Backbone: ${result.backbone}`);
      output.text(`Try:      npx gleaner train DATA --backbone ${result.backbone}`);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
