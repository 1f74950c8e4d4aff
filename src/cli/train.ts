import { readFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { parse } from 'yaml';
import { InputError, resumeTraining, train, type TrainOptions } from '../index.ts';
import { defineCommand, integer, number, type CommonOptions } from './command.ts';
import {
  consistencyFlags,
  cropScaleFlag,
  dataFlags,
  engineFlags,
  flipFlag,
  networkFlags,
  preprocessingFlags,
  trainingFlags,
} from './training-flags.ts';
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
      'train digits --method freematch --steps 1000',
      'train --resume runs/digits',
    ],
    (command) => {
      networkFlags(command)
        .option('--out <run>', 'folder of the run (default: a new one under runs/)')
        .option('--resume <run>', 'continue an interrupted run; stands alone')
        .option('--accept-engine', 'with --resume: go on although the engine or its choices differ')
        .option('--accept-data-change', 'with --resume: go on although the data changed')
        .option('--config <file>', 'options as YAML or JSON; flags win over it');
      dataFlags(command).option('--use-val', 'let a ready-made val part serve as validation though labels are limited');
      preprocessingFlags(command);
      trainingFlags(command)
        .option('--blend <share>', 'of the trained weights, mixed with those it started from', number(0, 1))
        .option('--patience <epochs>', 'stop after so many epochs without a better validation score', integer(1))
        .option('--augment <policy>', 'how training images are varied (docs/augmentation.md)')
        .option(
          '--consistency <weight>',
          'of the agreement of views with and without augmix; 12 in its paper',
          number(0),
        );
      consistencyFlags(command);
      flipFlag(command);
      cropScaleFlag(command)
        // Model out
        .option('--abstain-precision <p>', 'precision wanted of answers above the abstain threshold', number(0.01, 1))
        .option('--folds <k>', 'folds for choices and calibration; 0 does without', integer(0))
        .addOption(
          new Option('--variants <names...>', 'further exports, measured').choices(['bare', 'float16', 'int8']),
        );
      engineFlags(command).option(
        '--profile',
        'show where time goes, and write a trace (profile.json) into the folder of the run',
      );
    },
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
