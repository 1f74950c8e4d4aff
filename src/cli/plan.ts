import type { Command } from 'commander';
import { InputError, plan, type PlanOptions } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';
import { dataFlags, flipFlag, planFlags, preprocessingFlags } from './training-flags.ts';

export function planCommand(): Command {
  return defineCommand<CommonOptions & Omit<PlanOptions, 'data'>>(
    'plan <data>',
    'Says what train would do within a budget of time, and how long each stage takes; trains nothing',
    ['plan photos --backbone mobilenet_v2.onnx', 'plan photos --budget 3m'],
    (command) => {
      planFlags(command);
      flipFlag(preprocessingFlags(dataFlags(command)));
    },
    async ([data], { json: _json, quiet: _quiet, ...given }, { output, signal }) => {
      if (data === undefined) throw new InputError('Which data? Give a folder or a manifest: gleaner plan DATA.');
      const { text, ...result } = await plan({ ...given, data }, { signal, onProgress: output.progress });
      output.text(text);
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
