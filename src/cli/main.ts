#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { runProgram } from './command.ts';
import { cacheCommand } from './cache.ts';
import { dataCommand } from './data.ts';
import { doctorCommand } from './doctor.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { inspectCommand } from './inspect.ts';
import { predictCommand } from './predict.ts';
import { trainCommand } from './train.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('gleaner')
  .description('Trains an accurate, small, deployable image classifier from few labels.')
  .version(version)
  .addHelpText('after', '\nStart with: gleaner data check PHOTOS; gleaner train PHOTOS --backbone BACKBONE.onnx');
for (const command of [
  trainCommand(),
  predictCommand(),
  evaluateCommand(),
  exportCommand(),
  inspectCommand(),
  dataCommand(),
  doctorCommand(),
  cacheCommand(),
])
  program.addCommand(command);

await runProgram(program, process.argv.slice(2));
