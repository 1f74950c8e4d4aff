import { sha256 } from '../core/atomic-file.ts';
import { InputError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { fromMetadata, preprocessingOfMetadata } from '../models/description.ts';
import { findEmbedding, type Embedding, type EmbeddingPooling } from '../models/embedding.ts';
import { gradientDescriptor } from '../models/gradient-descriptor.ts';
import { describePreprocessing, type Preprocessing } from '../models/preprocessing.ts';
import type { Model } from '../onnx/graph.ts';
import { loadModel } from '../onnx/read.ts';
import { writeModel } from '../onnx/write.ts';
import { networkInside } from './deployed-network.ts';
import { checkPreprocessing, forImages, imageInput } from './image-input.ts';
import { knownFamily } from './known-families.ts';
import { locateBackbone } from './locate.ts';
import { processorPreprocessing, timmPreprocessing, type PreprocessingSource } from './preprocessing-source.ts';
import { resolvePreprocessing } from './resolve-preprocessing.ts';
import { parseBackboneSpec } from './spec.ts';
import { loadTimmWeights } from './timm-weights.ts';

/** What a caller says of a backbone; each wins over what its files say. */
export interface BackboneFlags {
  /** Side of the square input, in pixels. */
  readonly inputSize?: number;
  /** Per channel, on 0 to 255. */
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
  readonly channels?: 'rgb' | 'bgr';
  readonly interpolation?: 'nearest' | 'bilinear' | 'bicubic';
  readonly cropFraction?: number;
  readonly layout?: 'nchw' | 'nhwc';
  /** Value to take as the features (see `findEmbedding`). */
  readonly embedding?: string;
  /** Value that holds the logits. */
  readonly logits?: string;
}

export interface OpenBackboneOptions {
  readonly signal?: AbortSignal;
  /** Told of downloads. */
  readonly onProgress?: OnProgress;
  readonly env?: NodeJS.ProcessEnv;
}

/** A pretrained network, ready for a new head. */
export interface Backbone {
  /** For a batch of any size `N`; constants folded. */
  readonly model: Model;
  /** The graph's only input. */
  readonly input: string;
  readonly preprocessing: Preprocessing;
  /** Where each value of the preprocessing came from, for a person. */
  readonly preprocessingSource: string;
  readonly embedding: Embedding;
  /** Names of the classes it was trained on, where it has them. */
  readonly classes?: readonly string[];
  /** What was understood, a line each, to be printed. */
  readonly description: string;
  /** File, URL or hub path. */
  readonly source: string;
  /** Of the model's file, in hex. */
  readonly sha256: string;
}

/**
 * Opens a pretrained network: finds the file (on disk, at a URL, on the hub), reads it, finds its features
 * and its preprocessing, and checks that they fit. Of a deployed classifier of Gleaner's, the network inside is taken. Values of the preprocessing come from, in this order:
 * flags, Gleaner's metadata in the file, the graph's own input, `preprocessor_config.json` or timm's
 * `config.json` beside it, a known family. Input size, mean and deviation are never guessed.
 * @param spec `FILE`, a folder, `https://...`, `hf:owner/repo[/file][@revision]` or `builtin:gradients`
 * @throws InputError, ModelError for what is not there, not readable or not declared; RunError for a failed download.
 * @example
 * const backbone = await openBackbone('mobilenet_v2_1.0_224.onnx');
 * console.log(backbone.description);
 */
export async function openBackbone(
  spec: string,
  flags: BackboneFlags = {},
  options: OpenBackboneOptions = {},
): Promise<Backbone> {
  const { model: loaded, note, config, declared, source, fileName, sha256 } = await read(spec, flags, options);
  const input = imageInput(loaded.graph, source);
  const found = findEmbedding(loaded.graph, flags);
  const own = fromMetadata(loaded.metadata, source);
  const described = preprocessingOfMetadata(loaded.metadata, source);
  const family = knownFamily({ fileName, classes: found.classifier?.classes, side: input.sides?.[0] });
  const { preprocessing, source: preprocessingSource } = resolvePreprocessing(
    [
      ...flagSources(flags),
      ...(described === undefined ? [] : [{ origin: "the model's metadata", values: described }]),
      {
        origin: "the model's input",
        values: { ...(input.sides && { inputSize: input.sides }), ...(input.layout && { layout: input.layout }) },
      },
      ...declared,
      ...(family === undefined ? [] : [family]),
    ],
    source,
  );
  checkPreprocessing(input, preprocessing, source);
  const graph = forImages(loaded.graph, input, preprocessing, found.value, source);
  const embedding = findEmbedding(graph, flags);
  const classes = own?.classes ?? classNames(config, embedding.classifier?.classes);
  return {
    model: { ...loaded, graph },
    input: input.name,
    preprocessing,
    preprocessingSource,
    embedding,
    ...(classes !== undefined && { classes }),
    description: [
      `Backbone: ${source}${note === undefined ? '' : ` (${note})`}`,
      `Features: ${embedding.width}, from "${embedding.value}"${POOLED[embedding.pooling] ?? ''}${embedding.classifier === undefined ? ' (no classifier was found behind it)' : `, before a classifier of ${embedding.classifier.classes} classes`}`,
      `Preprocessing: ${describePreprocessing(preprocessing)}`,
      `  from ${preprocessingSource}`,
    ].join('\n'),
    source,
    sha256,
  };
}

const POOLED: Partial<Record<EmbeddingPooling, string>> = {
  'first-token': ' (its first token)',
  'mean-token': ' (the mean of its tokens)',
};

/** A network as it was found or made, and what was said beside it. */
interface Read {
  readonly model: Model;
  readonly note?: string | undefined;
  readonly config?: unknown;
  readonly declared: readonly PreprocessingSource[];
  readonly source: string;
  readonly fileName: string;
  readonly sha256: string;
}

async function read(spec: string, flags: BackboneFlags, options: OpenBackboneOptions): Promise<Read> {
  const parsed = parseBackboneSpec(spec);
  if (parsed.kind === 'built-in') return made(parsed.name, flags);
  const { path, source, fileName, sha256, readBeside: besideIt } = await locateBackbone(parsed, options);
  const isWeights = fileName.endsWith('.safetensors');
  const beside = await readBeside(besideIt, isWeights);
  const declared = declaredSources(beside);
  const { config } = beside;
  const { model, note } = isWeights
    ? await builtIn(path, config, flags.inputSize ?? declaredSide(declared), source)
    : { model: networkInside(await loadModel(path), source), note: undefined };
  return { model, note, config, declared, source, fileName, sha256 };
}

/** @throws InputError for a side that it can't have */
function made(name: string, { inputSize }: BackboneFlags): Read {
  const source = `builtin:${name}`;
  try {
    const model = gradientDescriptor(inputSize);
    const note = 'made here, without training';
    return { model, note, declared: [], source, fileName: name, sha256: sha256(writeModel(model)) };
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`--backbone ${source}: ${error.message}`, { cause: error });
    throw error;
  }
}

interface Beside {
  readonly config: unknown;
  readonly processor: unknown;
}

async function readBeside(read: (name: string) => Promise<unknown>, isWeights: boolean): Promise<Beside> {
  // timm's weights come with config.json alone.
  const processor = isWeights ? undefined : await read('preprocessor_config.json');
  return { config: await read('config.json'), processor };
}

function declaredSources({ config, processor }: Beside): PreprocessingSource[] {
  return [
    processorPreprocessing(processor, 'preprocessor_config.json'),
    timmPreprocessing(config, 'config.json'),
  ].filter((found) => found !== undefined);
}

function declaredSide(sources: readonly PreprocessingSource[]): number | undefined {
  return sources.find((found) => found.values.inputSize !== undefined)?.values.inputSize?.[0];
}

async function builtIn(
  path: string,
  config: unknown,
  inputSize: number | undefined,
  source: string,
): Promise<{ model: Model; note: string }> {
  const { model, architectureSource } = await loadTimmWeights(path, config, inputSize, source);
  return { model, note: `weights of the built-in ${model.name}, by ${architectureSource}` };
}

function flagSources(flags: BackboneFlags): PreprocessingSource[] {
  const { inputSize, embedding: _embedding, logits: _logits, ...values } = flags;
  const given: [string, PreprocessingSource['values']][] = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [`--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, { [key]: value }]);
  if (inputSize !== undefined) given.unshift(['--input-size', { inputSize: [inputSize, inputSize] }]);
  return given.map(([origin, value]) => ({ origin, values: value }));
}

/** From `id2label` (transformers) or `label_names` (timm), where there is one for each class. */
function classNames(config: unknown, count: number | undefined): string[] | undefined {
  if (typeof config !== 'object' || config === null || count === undefined) return undefined;
  const { id2label, label_names: labels } = config as { id2label?: unknown; label_names?: unknown };
  const names = Array.isArray(labels)
    ? labels
    : typeof id2label === 'object' && id2label !== null
      ? Array.from({ length: count }, (_, i) => (id2label as Record<string, unknown>)[String(i)])
      : [];
  return names.length === count && names.every((name) => typeof name === 'string') ? (names as string[]) : undefined;
}
