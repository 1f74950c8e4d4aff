import type { Command } from 'commander';
import { inspect } from '../index.ts';
import { choice, defineCommand, integer, type CommonOptions } from './command.ts';
import { table } from './output.ts';

type InspectFlags = CommonOptions & { verify?: string; inputSize?: number; lowering?: string };

export function inspectCommand(): Command {
  return defineCommand<InspectFlags>(
    'inspect <model>',
    'Layers, parameters, multiply-adds and which ops can be trained; --verify checks the engine against recorded values',
    ['inspect mobilenet_v2.onnx', 'inspect model.onnx --verify expected.safetensors --json'],
    (command) =>
      command
        .option('--verify <file>', 'safetensors with recorded input, logits, loss, gradients, steps, buffers')
        .addOption(
          choice('--lowering <name>', 'with --verify: how gradients are lowered', ['auto', 'plain', 'blocked']).default(
            'auto',
          ),
        )
        .option('--input-size <side>', 'input side, where the model leaves it open', integer(1)),
    async ([model], flags, { output, signal }) => {
      const result = await inspect(model!, {
        ...(flags.device !== undefined && { device: flags.device }),
        lowering: (flags.lowering ?? 'auto') as 'auto' | 'plain' | 'blocked',
        ...(flags.threads !== undefined && { threads: flags.threads }),
        ...(flags.verify !== undefined && { verify: flags.verify }),
        ...(flags.inputSize !== undefined && { inputSize: flags.inputSize }),
        signal,
      });
      output.text(
        table(
          ['layer', 'op', 'output', 'parameters', 'multiply-adds'],
          result.layers.map((layer) => [layer.name, layer.op, layer.output, layer.parameters, layer.multiplyAdds]),
        ),
      );
      output.text('');
      output.text(
        `Opset ${result.opset}, ${result.parameters.toLocaleString('en')} parameters, ${result.multiplyAdds?.toLocaleString('en') ?? 'unknown (give --input-size)'} multiply-adds an image.`,
      );
      output.text(
        result.untrainableOps.length === 0
          ? 'Every op on the way to the parameters can be trained.'
          : `Ops that can't be trained: ${result.untrainableOps.join(', ')}.`,
      );
      if (result.whyUntrainable !== undefined) output.text(result.whyUntrainable);
      if (result.verify !== undefined) {
        const { logits, loss, worstGradient, steps, buffers, pass, notes } = result.verify;
        const shown = (error: number | null): string => (error === null ? 'not recorded' : error.toExponential(1));
        output.text('');
        output.text('Largest relative errors against the recorded values:');
        output.text(
          table(
            ['part', 'error'],
            [
              ['logits', shown(logits)],
              ['loss', shown(loss)],
              ['worst gradient', shown(worstGradient)],
              ['steps', shown(steps)],
              ['buffers', shown(buffers)],
            ],
          ),
        );
        for (const note of notes) output.text(note);
        output.text(pass ? 'Pass.' : 'FAIL: a part is off by more than its limit.');
        if (!pass) process.exitCode = 1;
      }
      output.jsonLine({ type: 'result', ...result });
    },
  );
}
