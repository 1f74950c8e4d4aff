import { Option, type Command } from 'commander';
import { pseudoLabel, resumeSelfTraining, selfTrain, type SelfTrainOptions } from '../index.ts';
import { checkDataOrResume } from './data-or-resume.ts';
import { choice, defineCommand, integer, number, type CommonOptions } from './command.ts';
import { readConfig } from './read-config.ts';
import { showRunResult } from './run-result.ts';
import {
  configFlag,
  cropScaleFlag,
  dataFlags,
  engineFlags,
  flipFlag,
  gradientsFlag,
  lossFlag,
  preprocessingFlags,
  runFlags,
  trainingFlags,
} from './training-flags.ts';

type Flags = CommonOptions & { config?: string; resume?: string; acceptEngine?: boolean; acceptDataChange?: boolean };

export function selfTrainCommand(): Command {
  return defineCommand<Flags>(
    'self-train [data]',
    'Trains on few labelled and many unlabelled images: a teacher labels, a student learns with noise and becomes the teacher',
    [
      'self-train photos --backbone mobilenet_v2.onnx --labels-per-class 10',
      'self-train photos --backbone mobilenet_v1.onnx --grow mobilenet_v1.onnx,mobilenet_v2.onnx --final mobilenet_v1.onnx',
      'self-train --resume runs/003',
    ],
    (command) => {
      networkFlags(command)
        .option('--rounds <n>', 'rounds, at most (default: 3)', integer(1))
        .option(
          '--grow <networks>',
          'networks of the students by round, with commas: names or files, @SIDE where wanted',
        )
        .option('--final <network>', 'distil the last teacher to this network')
        .option('--final-temperature <t>', 'of that distillation (default: 2)', number(0));
      selfTrainingFlags(command);
    },
    ([data], flags, context) => work(data, flags, context, selfTrain, 'self-train'),
  );
}

export function pseudoLabelCommand(): Command {
  return defineCommand<Flags>(
    'pseudo-label [data]',
    'Trains on labelled images and on those that a teacher labels',
    [
      'pseudo-label photos --teacher runs/001/model.onnx --backbone efficientnet_lite0.onnx',
      'pseudo-label photos --backbone mobilenet_v1.onnx --student mobilenet_v2.onnx --threshold right:0.95',
    ],
    (command) => {
      networkFlags(command)
        .option('--teacher <models...>', 'exported models that label; default: one is trained from the labels first')
        .option('--student <network>', 'name or file, @SIDE where wanted (default: as --backbone or --model)');
      selfTrainingFlags(command);
    },
    ([data], flags, context) => work(data, flags, context, pseudoLabel, 'pseudo-label'),
  );
}

function networkFlags(command: Command): Command {
  command
    .option('--backbone <file|url|hf:owner/repo>', 'pretrained network to start from')
    .option('--model <name>', 'built-in network to train from scratch');
  return configFlag(runFlags(command))
    .option(
      '--teacher-backbones <files...>',
      'backbones whose probes are the first teacher together, in place of the own one',
    )
    .addOption(
      choice('--first-teacher <name>', 'how the first teacher is made (default: probe with a backbone)', [
        'probe',
        'finetune',
        'scratch',
        'propagation',
      ]),
    );
}

function selfTrainingFlags(command: Command): void {
  dataFlags(command).option('--use-val', 'let a ready-made val part serve as validation though labels are limited');
  preprocessingFlags(gradientsFlag(command));
  lossFlag(trainingFlags(command)).option(
    '--augment <policy>',
    'how the images of students are varied (docs/augmentation.md)',
  );
  flipFlag(command);
  cropScaleFlag(command)
    .addOption(choice('--start <from>', 'what a student starts from (default: teacher)', ['teacher', 'fresh']))
    .addOption(choice('--source <name>', 'what labels come from', ['teacher', 'propagation', 'both']))
    .option('--views <n>', 'views of an image that a label is the mean of (default: 1)', integer(1))
    .addOption(choice('--labels <kind>', 'default: sharpened', ['hard', 'soft', 'sharpened']))
    .option('--sharpening <t>', 'temperature of sharpened labels (default: 0.5)', number(0.01, 1))
    .option('--threshold <rule>', 'which labels are used: none, 0.9, free, soft, flex:0.95, rank:0.5, right:0.95')
    .addOption(choice('--balance <how>', 'classes among the used labels', ['none', 'cap', 'resample']))
    .addOption(choice('--adjust <how>', 'to the estimated class prior', ['none', 'align', 'logit', 'crest']))
    .addOption(
      choice('--outliers <how>', 'images that look like none of the classes (default: set-aside)', [
        'set-aside',
        'keep',
      ]),
    )
    .option('--labelled-share <share>', 'of every batch (default: 0.25)', number(0.01, 0.99))
    .option('--epoch-images <n>', 'images of an epoch, at most (default: 1000)', integer(1))
    .option('--abstain-precision <p>', 'precision wanted of answers above the abstain threshold', number(0.01, 1))
    .option('--folds <k>', 'folds that rounds are judged on; 0 does without', integer(0))
    .addOption(new Option('--variants <names...>', 'further exports, measured').choices(['bare', 'float16', 'int8']));
  engineFlags(command);
}

async function work(
  data: string | undefined,
  flags: Flags,
  { output, signal }: Parameters<Parameters<typeof defineCommand>[4]>[2],
  run: typeof selfTrain,
  command: string,
): Promise<void> {
  const { json: _json, quiet: _quiet, config, resume, acceptEngine, acceptDataChange, ...given } = flags;
  checkDataOrResume(data, flags, `gleaner ${command} DATA`);
  const options = { ...(await readConfig(config)), ...given, ...(data !== undefined && { data }) };
  const control = { signal, onProgress: output.progress };
  const result =
    resume === undefined
      ? await run(options as unknown as SelfTrainOptions, control)
      : await resumeSelfTraining(resume, {
          ...control,
          acceptEngine: acceptEngine ?? false,
          acceptDataChange: acceptDataChange ?? false,
        });
  showRunResult(result, output);
}
