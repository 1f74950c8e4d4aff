import type { Command } from 'commander';
import { distill, InputError, resumeDistillation, type DistillOptions, type DistillResult } from '../index.ts';
import { checkDataOrResume } from './data-or-resume.ts';
import { choice, defineCommand, number, type CommonOptions } from './command.ts';
import { percent, shellWord, type Output } from './output.ts';
import { readConfig } from './read-config.ts';
import { ofTeacher } from './teacher-flags.ts';
import {
  configFlag,
  cropScaleFlag,
  dataFlags,
  engineFlags,
  flipFlag,
  modelFlags,
  preprocessingFlags,
  profileFlag,
  runFlags,
  trainingFlags,
} from './training-flags.ts';

type DistillFlags = CommonOptions & {
  config?: string;
  resume?: string;
  acceptEngine?: boolean;
  acceptDataChange?: boolean;
  profile?: boolean;
};

export function distillCommand(): Command {
  return defineCommand<DistillFlags>(
    'distill [data]',
    'Trains a student to say what a teacher says, with labels or without any',
    [
      'distill photos --teacher runs/large/model.onnx --student mobilenetv2_050',
      'distill photos --teacher efficientnet_lite0.onnx --teacher-classes names.txt --map classes.csv',
      'distill photos --teacher a.onnx --teacher b.onnx --backbone mobilenet_v1.onnx --temperature 2 --alpha 0.7',
      'distill photos --teacher ema --backbone mobilenet_v1.onnx',
      'distill --resume runs/001',
    ],
    (command) => {
      command
        .option(
          '--teacher <file|url|hf:owner/repo>',
          'classifier to learn from; given several times, their mean counts; ema: the average of the student itself',
          (text: string, before: readonly string[] = []) => [...before, text],
        )
        .option('--teacher-classes <file>', "names of the teacher's classes, one a line, where it has none")
        .option('--student <name>', 'built-in network to train from scratch')
        .option('--backbone <file|url|hf:owner/repo>', 'pretrained network to start from, in place of --student')
        .option('--map <file>', "CSV: a class of the teacher's, the student's class that it stands for")
        .option('--ignore-labels', 'use no label of train and val: folders are no classes')
        .option('--temperature <t>', 'softens what both say before it is compared; default 4, 1 with dist', number(0))
        .option('--alpha <share>', 'what the teacher counts for beside labels; default 0.9', number(0, 1))
        .addOption(choice('--loss <name>', 'how answers are compared', ['kd', 'dkd', 'dist', 'none']))
        .option('--hard', "learn the teacher's most probable class, not its distribution")
        .addOption(choice('--features <name>', 'compared as well', ['hint', 'cosine', 'attention', 'rkd', 'crd']))
        .option('--feature-weight <w>', 'what --features counts for', number(0))
        .option('--teacher-once', 'ask the teacher once an image, not about each crop that the student sees')
        .option('--search-temperature', 'find temperature and alpha on held-out images first');
      preprocessingFlags(command, 'teacher-');
      configFlag(runFlags(command));
      dataFlags(command).option('--use-val', 'let a ready-made val part serve as validation though labels are limited');
      preprocessingFlags(command);
      modelFlags(trainingFlags(command)).option(
        '--augment <policy>',
        'how training images are varied (docs/augmentation.md)',
      );
      profileFlag(engineFlags(cropScaleFlag(flipFlag(command))));
    },
    async (args, flags, { output, signal }) => {
      const { config, resume, acceptEngine, acceptDataChange, json: _json, quiet: _quiet, ...given } = flags;
      const control = { signal, onProgress: output.progress };
      checkDataOrResume(args[0], flags, 'gleaner distill --teacher MODEL DATA');
      const options = { ...(await readConfig(config)), ...ofTeacher(given), ...(args[0] && { data: args[0] }) };
      if (resume === undefined && !('teacher' in options))
        throw new InputError('Which teacher? Give the file of a classifier: gleaner distill --teacher MODEL DATA.');
      const result =
        resume === undefined
          ? await distill(options as unknown as DistillOptions, control)
          : await resumeDistillation(resume, {
              ...control,
              acceptEngine: acceptEngine ?? false,
              acceptDataChange: acceptDataChange ?? false,
              ...(flags.profile !== undefined && { profile: flags.profile }),
            });
      tell(result, output);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}

function tell(result: DistillResult, output: Output): void {
  const { accuracy, interval, agreement, agreementInterval, kl, comparedOn } = result;
  output.text('');
  if (accuracy === null) output.text('Accuracy unknown: there is no image with a label to score on.');
  else
    output.text(
      `Accuracy ${percent(accuracy)} (95 % interval ${percent(interval![0])} to ${percent(interval![1])}) on ${result.n} images of ${result.scoredOn}.`,
    );
  if (agreement !== null)
    output.text(
      `Student and teacher agree on ${percent(agreement)} (95 % interval ${percent(agreementInterval![0])} to ${percent(agreementInterval![1])}) ` +
        `of ${comparedOn}; mean KL(teacher || student) ${kl!.toFixed(4)} nats.`,
    );
  output.text(`Model:   ${result.model}`);
  output.text(`Report:  ${result.report}`);
  output.text(`Try:     npx gleaner predict ${shellWord(result.model)} IMAGE...`);
}
