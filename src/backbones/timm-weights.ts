import { basename } from 'node:path';
import { FormatError, InputError, ModelError } from '../core/errors.ts';
import { readSafetensorsFile } from '../core/safetensors.ts';
import type { BuiltModel } from '../models/layers.ts';
import { loadWeights } from '../models/load-weights.ts';
import { buildModel, defaultInputSize, isModelName, modelFamilies } from '../models/registry.ts';

export interface TimmWeights {
  readonly model: BuiltModel;
  /** Where the architecture's name came from. */
  readonly architectureSource: string;
}

/**
 * Loads timm's safetensors into the built-in network of the same name.
 * @param config the `config.json` beside it, where there is one
 * @param inputSize side of the input in pixels, where one is wanted
 * @throws InputError where the architecture is not known or not built in, ModelError where weights do not fit.
 */
export async function loadTimmWeights(
  path: string,
  config: unknown,
  inputSize: number | undefined,
  source: string,
): Promise<TimmWeights> {
  const { tensors, metadata } = await readSafetensorsFile(path).catch((error: unknown) => {
    throw error instanceof FormatError ? new ModelError(`${source}: ${error.message}`, { cause: error }) : error;
  });
  const declared = (config as { architecture?: unknown } | undefined)?.architecture;
  const stem = basename(path)
    .replace(/\.safetensors$/, '')
    .split('.')[0]!;
  const candidates: [unknown, string][] = [
    [declared, 'config.json'],
    [metadata.get('architecture'), "the file's metadata"],
    [isModelName(stem) ? stem : undefined, "the file's name"],
  ];
  const [architecture, architectureSource] = candidates.find(([name]) => typeof name === 'string') ?? [undefined, ''];
  if (typeof architecture !== 'string')
    throw new InputError(
      `${source} holds weights only, and nothing names their architecture: expected a config.json with "architecture" beside it, as timm writes it.`,
    );
  if (!isModelName(architecture))
    throw new InputError(
      `${source} holds weights of "${architecture}", which is not built in (${modelFamilies.flatMap(({ names }) => names).join(', ')} are). Export it to ONNX and give that file.`,
    );
  const side = inputSize ?? defaultInputSize(architecture);
  // The classifier's name is the architecture's; its rows are the file's.
  const { graph } = buildModel(architecture, { classes: 1, inputSize: side });
  const head = graph.nodes.at(-1)!.inputs[1]!;
  const classes = tensors.get(head)?.shape[0];
  if (classes === undefined) throw new ModelError(`${source} lacks the classifier "${head}" of ${architecture}.`);
  const loaded = loadWeights(buildModel(architecture, { classes, inputSize: side }), tensors, { source });
  if (loaded.unexpected.length > 0)
    throw new ModelError(
      `${source} holds ${loaded.unexpected.length} tensors that ${architecture} has no place for: ${loaded.unexpected.slice(0, 5).join(', ')}.`,
    );
  return { model: loaded.model, architectureSource };
}
