import type { Command } from 'commander';
import {
  continueTraining,
  InputError,
  resumeTraining,
  train,
  type ContinueOptions,
  type PlanOptions,
  type TrainOptions,
} from '../index.ts';
import { checkDataOrResume } from './data-or-resume.ts';
import { defineCommand, number, type CommonOptions } from './command.ts';
import {
  consistencyFlags,
  cropScaleFlag,
  dataFlags,
  engineFlags,
  flipFlag,
  lossFlag,
  modelFlags,
  gradientsFlag,
  planFlags,
  preprocessingFlags,
  profileFlag,
  configFlag,
  runFlags,
  trainingFlags,
} from './training-flags.ts';
import { readConfig } from './read-config.ts';
import { showRunResult } from './run-result.ts';

type TrainFlags = CommonOptions &
  Omit<TrainOptions, 'data' | 'method' | 'backbone'> &
  Omit<PlanOptions, 'data'> & {
    config?: string;
    resume?: string;
    acceptEngine?: boolean;
    acceptDataChange?: boolean;
    labels?: string[];
    continue?: string;
  };

export function trainCommand(): Command {
  return defineCommand<TrainFlags>(
    'train [data]',
    'Trains a classifier on a folder of classes, a manifest (CSV, JSONL, COCO, Label Studio) or Parquet, by a plan within a budget of time or by one method',
    [
      'train photos --budget 10m',
      'train photos --backbone mobilenet_v2.onnx,efficientnet_lite0.onnx --max-size 5MB',
      'train photos --backbone mobilenet_v2.onnx --method probe --labels-per-class 10',
      'train digits --method scratch --epochs 40 --out runs/digits',
      'train digits --method freematch --steps 1000',
      'train --resume runs/digits',
      'train --continue runs/digits --labels suggested.csv',
    ],
    (command) => {
      configFlag(runFlags(planFlags(command)));
      dataFlags(command)
        .option('--labels <files...>', 'labels of images that have none: CSV with the columns path and label')
        .option('--continue <run>', 'with --labels: train as that run did, with its labels and these')
        .option('--use-val', 'let a ready-made val part serve as validation though labels are limited');
      preprocessingFlags(gradientsFlag(command));
      modelFlags(trainingFlags(command))
        .option('--augment <policy>', 'how training images are varied (docs/augmentation.md)')
        .option(
          '--consistency <weight>',
          'of the agreement of views with and without augmix; 12 in its paper',
          number(0),
        );
      consistencyFlags(lossFlag(command));
      profileFlag(engineFlags(cropScaleFlag(flipFlag(command))));
    },
    async (args, flags, { output, signal }) => {
      const {
        config,
        resume,
        continue: earlier,
        labels,
        acceptEngine,
        acceptDataChange,
        json: _json,
        quiet: _quiet,
        ...given
      } = flags;
      const control = { signal, onProgress: output.progress };
      if (earlier !== undefined) {
        if (args[0] !== undefined || resume !== undefined || config !== undefined)
          throw new InputError(
            '--continue takes data and options from the run: leave out DATA, --config and --resume.',
          );
        const options = { ...given, labelFiles: labels ?? [] } as ContinueOptions;
        return showRunResult(await continueTraining(earlier, options, control), output);
      }
      checkDataOrResume(args[0], flags, 'gleaner train DATA');
      const result =
        resume === undefined
          ? await train(
              {
                ...(await readConfig(config)),
                ...given,
                ...(labels && { labelFiles: labels }),
                ...(args[0] && { data: args[0] }),
              } as TrainOptions | PlanOptions,
              control,
            )
          : await resumeTraining(resume, {
              ...control,
              acceptEngine: acceptEngine ?? false,
              acceptDataChange: acceptDataChange ?? false,
              ...(given.profile !== undefined && { profile: given.profile }),
            });
      showRunResult(result, output);
    },
  );
}
