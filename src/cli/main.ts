#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { runProgram } from './command.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A command's code is loaded where it is asked for: `predict` answers within a second. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  train: async () => (await import('./train.ts')).trainCommand(),
  plan: async () => (await import('./plan.ts')).planCommand(),
  'self-train': async () => (await import('./self-train.ts')).selfTrainCommand(),
  'pseudo-label': async () => (await import('./self-train.ts')).pseudoLabelCommand(),
  pretrain: async () => (await import('./pretrain.ts')).pretrainCommand(),
  'zero-shot': async () => (await import('./zero-shot.ts')).zeroShotCommand(),
  distill: async () => (await import('./distill.ts')).distillCommand(),
  suggest: async () => (await import('./suggest.ts')).suggestCommand(),
  predict: async () => (await import('./predict.ts')).predictCommand(),
  why: async () => (await import('./why.ts')).whyCommand(),
  evaluate: async () => (await import('./evaluate.ts')).evaluateCommand(),
  export: async () => (await import('./export.ts')).exportCommand(),
  inspect: async () => (await import('./inspect.ts')).inspectCommand(),
  augment: async () => (await import('./augment.ts')).augmentCommand(),
  data: async () => (await import('./data.ts')).dataCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  cache: async () => (await import('./cache.ts')).cacheCommand(),
};

// `gleaner inspect MODEL | head`: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const program = new Command('gleaner')
  .description('Trains an accurate, small, deployable image classifier from few labels.')
  .version(version)
  // What stands behind a command is that command's, also where it has commands of its own.
  .enablePositionalOptions()
  .addHelpText('after', '\nStart with: gleaner data check PHOTOS; gleaner train PHOTOS --backbone BACKBONE.onnx');
const args = process.argv.slice(2);
const asked = Object.hasOwn(COMMANDS, args[0] ?? '') ? [args[0]!] : Object.keys(COMMANDS);
for (const command of await Promise.all(asked.map((name) => COMMANDS[name]!()))) program.addCommand(command);

await runProgram(program, args);
