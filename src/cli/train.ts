import { readFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { parse } from 'yaml';
import { InputError, resumeTraining, train, type TrainOptions } from '../index.ts';
import { choice, defineCommand, integer, number, perChannel, type CommonOptions } from './command.ts';
import { percent } from './output.ts';

type TrainFlags = CommonOptions &
  Omit<TrainOptions, 'data'> & {
    config?: string;
    resume?: string;
    acceptEngine?: boolean;
    acceptDataChange?: boolean;
  };

export function trainCommand(): Command {
  return defineCommand<TrainFlags>(
    'train [data]',
    'Trains a classifier on a folder of classes, or a manifest (CSV, JSONL)',
    [
      'train photos --backbone mobilenet_v2.onnx',
      'train photos --backbone mobilenet_v2.onnx --method probe --labels-per-class 10',
      'train digits --method scratch --epochs 40 --out runs/digits',
      'train --resume runs/digits',
    ],
    (command) =>
      command
        .option('--backbone <file|url|hf:owner/repo>', 'pretrained network to start from')
        .option('--model <name>', 'built-in network to train from scratch')
        .addOption(
          choice('--method <name>', 'default: finetune with a backbone, else scratch', [
            'probe',
            'finetune',
            'scratch',
          ]),
        )
        .option('--out <run>', 'folder of the run (default: a new one under runs/)')
        .option('--resume <run>', 'continue an interrupted run; stands alone')
        .option('--accept-engine', 'with --resume: go on although the engine or its choices differ')
        .option('--accept-data-change', 'with --resume: go on although the data changed')
        .option('--config <file>', 'options as YAML or JSON; flags win over it')
        // Data
        .addOption(choice('--data-layout <name>', 'how to read the folder', ['auto', 'classes', 'splits']))
        .option('--labels-list <file>', 'names of the images that keep their label, one a line')
        .option('--labels-per-class <k>', 'labels kept a class, drawn by the seed', integer(1))
        .option('--val <share>', 'share of the labelled images held out for validation', number(0, 0.5))
        .option('--use-val', 'let a ready-made val part serve as validation though labels are limited')
        .option('--drop-leaks', 'leave out training images that are copies of val or test images')
        .option('--follow-links', 'follow symbolic links out of the data folder')
        .option('--max-pixels <megapixels>', 'largest image that is decoded', number(0.0001))
        // Preprocessing of a backbone that doesn't declare it
        .option('--input-size <side>', 'input side of the network, in pixels', integer(8))
        .option('--mean <values>', 'per channel, on the scale 0 to 255', perChannel)
        .option('--std <values>', 'per channel, on the scale 0 to 255', perChannel)
        .addOption(choice('--channels <order>', 'order of the colour channels', ['rgb', 'bgr']))
        .addOption(choice('--interpolation <name>', 'of the resize', ['nearest', 'bilinear', 'bicubic']))
        .option(
          '--crop-fraction <share>',
          'side of the centre crop, relative to the resized shorter side',
          number(0.01, 1),
        )
        .addOption(choice('--layout <name>', 'layout of the network input', ['nchw', 'nhwc']))
        .option('--embedding <value>', 'name of the value to put a new head on')
        .option('--logits <value>', "name of the network's logits")
        // Training
        .option('--epochs <n>', 'passes over the labelled images', integer(1))
        .option('--batch-size <n>', 'images a step', integer(1))
        .option('--lr <rate>', 'learning rate of the body', number(0))
        .option('--head-lr <rate>', 'learning rate of the head', number(0))
        .addOption(choice('--optimizer <name>', 'update rule', ['sgd', 'adam', 'adamw', 'lion', 'lamb']))
        .option('--weight-decay <x>', 'not applied to norms and biases', number(0))
        .option('--momentum <x>', 'of sgd', number(0, 0.9999))
        .addOption(
          choice('--schedule <name>', 'of the learning rate', ['cosine', 'one-cycle', 'step', 'linear', 'constant']),
        )
        .option('--warmup-epochs <n>', 'epochs of linear warm-up', number(0))
        .option('--label-smoothing <x>', '', number(0, 0.99))
        .addOption(choice('--class-weights <name>', 'weights in the loss', ['none', 'balanced']))
        .option('--clip-norm <x>', "bound on the gradient's global norm", number(0))
        .option('--accumulate <n>', 'micro-batches a step', integer(1))
        .option('--recompute <k>', "keep every k-th block's values, compute the rest again: saves memory", integer(1))
        .option('--blend <share>', 'of the trained weights, mixed with those it started from', number(0, 1))
        .option('--ema <decay>', 'averaged weights; 0 turns them off', number(0, 0.99999))
        .addOption(choice('--batch-norm <mode>', 'statistics frozen or of the batch', ['auto', 'frozen', 'batch']))
        .option(
          '--layer-decay <factor>',
          'learning rate factor for each step of depth away from the head',
          number(0.01, 1),
        )
        .option('--unfreeze-epochs <n>', 'unfreeze gradually, from the head down', integer(0))
        .option('--train <pattern...>', 'train only parameters that match (globs)')
        .option('--freeze <pattern...>', 'freeze parameters that match (globs)')
        .option('--dropout <share>', 'before the head', number(0, 0.95))
        .option('--patience <epochs>', 'stop after so many epochs without a better validation score', integer(1))
        .option('--augment <policy>', 'how training images are varied (docs/augmentation.md)')
        .addOption(choice('--flip <mode>', 'horizontal flips in training', ['auto', 'on', 'off']))
        .option(
          '--crop-scale <area>',
          'smallest random crop, as a share of the area; 1 turns crops off',
          number(0.01, 1),
        )
        .option('--find-lr', 'search the learning rate first')
        // Model out
        .option('--abstain-precision <p>', 'precision wanted of answers above the abstain threshold', number(0.01, 1))
        .option('--folds <k>', 'folds for choices and calibration', integer(2))
        .addOption(
          new Option('--variants <names...>', 'further exports, measured').choices(['bare', 'float16', 'int8']),
        )
        // The machine
        .option('--engine <file>', "use an engine.json's choices again")
        .option('--tune', 'measure the lowerings of new shapes before training')
        .option('--profile', 'show where time goes, and write a trace (profile.json) into the folder of the run'),
    async (args, flags, { output, signal }) => {
      const { config, resume, acceptEngine, acceptDataChange, json: _json, quiet: _quiet, ...given } = flags;
      const control = { signal, onProgress: output.progress };
      if (resume !== undefined && args.length > 0)
        throw new InputError('--resume stands alone: the data folder comes from the config.json of the run.');
      if (resume === undefined && args[0] === undefined && config === undefined)
        throw new InputError('Which data? Give a folder or a manifest: gleaner train DATA.');
      const result =
        resume === undefined
          ? await train(
              { ...(await readConfig(config)), ...given, ...(args[0] && { data: args[0] }) } as TrainOptions,
              control,
            )
          : await resumeTraining(resume, {
              ...control,
              acceptEngine: acceptEngine ?? false,
              acceptDataChange: acceptDataChange ?? false,
              ...(given.profile !== undefined && { profile: given.profile }),
            });
      output.text('');
      output.text(
        `Accuracy ${percent(result.accuracy)} (95 % interval ${percent(result.interval[0])} to ${percent(result.interval[1])}) ` +
          `on ${result.n} images of ${result.scoredOn}.`,
      );
      output.text(`Model:   ${result.model}`);
      output.text(`Report:  ${result.report}`);
      output.text(`Try:     npx gleaner predict ${shellWord(result.model)} IMAGE...`);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}

async function readConfig(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) return {};
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new InputError(`--config ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(
      `--config ${file}: expected options by name, got ${Array.isArray(value) ? 'a list' : typeof value}.`,
    );
  // Keys as flags have them (`batch-size`) work too.
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      entry,
    ]),
  );
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
