import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { openBackbone, type Backbone, type BackboneFlags } from '../../backbones/open.ts';
import { parseBackboneSpec } from '../../backbones/spec.ts';
import { AbortedError, InputError } from '../../core/errors.ts';
import { packageVersion } from '../../core/package-version.ts';
import { readDataset } from '../../datasets/read.ts';
import { deployableModel } from '../../export/deployable.ts';
import { withCosineHead } from '../../models/cosine-head.ts';
import type { TrainControl } from '../train-control.ts';
import { writeModelFile } from '../results/write-model-file.ts';
import { DEFAULT_TEMPLATE, promptsOf } from './prompts.ts';
import { clipTextEncoder, type TextEncoder } from './text-encoder.ts';

/** exp of CLIP's `logit_scale`, which its authors bound to 100 and which all of their models reach. */
const LOGIT_SCALE = 100;
/** Texts that are encoded at a time. */
const BATCH = 64;

export interface ZeroShotOptions {
  /** Image side of a CLIP: a file, a folder, a URL or `hf:owner/repo`. */
  readonly backbone: string;
  /** Names of at least two classes; or `data` has them. */
  readonly classes?: readonly string[];
  /** Folder, CSV or JSONL whose classes are meant. */
  readonly data?: string;
  /** What is said of a class, `{}` its name; the mean of several counts. Default `a photo of a {}.`. */
  readonly templates?: readonly string[];
  /** Where the text side is; default: beside the image side. */
  readonly textModel?: string;
  /** In place of the text side: JSON, a list of numbers for each class. */
  readonly textEmbeddings?: string;
  /** In place of both: an encoder of one's own. */
  readonly encodeTexts?: TextEncoder;
  /** What cosines are multiplied by before the softmax. Default 100. */
  readonly logitScale?: number;
  /** The file to write. */
  readonly out: string;
  /** How images are wanted, where the backbone doesn't say. */
  readonly preprocessing?: BackboneFlags;
}

export interface ZeroShotResult {
  /** The classifier, as `train` would write it; what describes it lies beside it (`.json`). */
  readonly file: string;
  readonly classes: readonly string[];
  /** What was said of each class; absent with `textEmbeddings`. */
  readonly prompts?: readonly (readonly string[])[];
}

/**
 * A classifier from the names of its classes alone (Radford et al. 2021, arXiv:2103.00020): an image has the class whose
 * description its embedding is nearest to. It is a file as any other: `predict`, `evaluate`, and a teacher for `distill` and
 * `pseudo-label`, which learn from it without a single label.
 * @throws InputError for fewer than two classes, a network without a text side, texts of another width than images; ModelError
 *   as `openBackbone`
 * @example
 * await zeroShot({ backbone: 'hf:Xenova/clip-vit-base-patch32', classes: ['dress', 'hat'], out: 'clothes.onnx' });
 */
export async function zeroShot(options: ZeroShotOptions, control: TrainControl = {}): Promise<ZeroShotResult> {
  const { logitScale = LOGIT_SCALE, templates = [DEFAULT_TEMPLATE] } = options;
  if (!(logitScale > 0 && Number.isFinite(logitScale)))
    throw new InputError(`The logit scale must be over 0, got ${logitScale}.`);
  const classes = await classesOf(options);
  const prompts = promptsOf(classes, templates);
  const given =
    options.textEmbeddings === undefined ? undefined : await readEmbeddings(options.textEmbeddings, classes);
  const encode =
    given === undefined ? (options.encodeTexts ?? (await clipTextEncoder(textModelOf(options)))) : undefined;
  const backbone = await openImageSide(options, control);
  const { width } = backbone.embedding;
  const directions = new Float32Array(classes.length * width);
  for (const [k, name] of classes.entries()) {
    const texts = given === undefined ? await encodeAll(encode!, prompts[k]!, control) : [given[k]!];
    directions.set(meanDirection(texts, width, name), k * width);
  }
  const { graph, logits } = withCosineHead(
    backbone.model.graph,
    backbone.embedding,
    directions,
    classes.length,
    logitScale,
  );
  const model = deployableModel({
    graph,
    logits,
    preprocessing: backbone.preprocessing,
    classes,
    provenance: { gleaner: packageVersion(), method: 'zero-shot', backbone: backbone.sha256 },
  });
  const file = resolve(options.out);
  await writeModelFile(file, model);
  return { file, classes, ...(given === undefined && { prompts }) };
}

async function classesOf({ classes, data }: ZeroShotOptions): Promise<readonly string[]> {
  const named = classes ?? (data === undefined ? [] : (await readDataset(data)).classes);
  const twice = named.find((name, i) => named.indexOf(name) !== i);
  if (twice !== undefined) throw new InputError(`The class "${twice}" is named twice.`);
  if (named.length < 2)
    throw new InputError(
      `At least two classes are told apart, got ${named.length}${data === undefined ? '' : ` in ${data}`}: name them by --classes A,B or a folder a class in DATA.`,
    );
  return named;
}

async function openImageSide(
  { backbone: spec, preprocessing = {} }: ZeroShotOptions,
  { signal, onProgress }: TrainControl,
): Promise<Backbone> {
  const backbone = await openBackbone(spec, preprocessing, {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  onProgress?.({ type: 'note', message: backbone.description });
  return backbone;
}

/** Of a hub's repository or of a folder, the whole; of a file in one, the folder around it. */
function textModelOf({ backbone, textModel }: ZeroShotOptions): string {
  if (textModel !== undefined) return textModel;
  const spec = parseBackboneSpec(backbone);
  if (spec.kind === 'hub') return `hf:${spec.repo}${spec.revision === 'main' ? '' : `@${spec.revision}`}`;
  if (spec.kind !== 'path')
    throw new InputError(`Where is the text side of ${backbone}? Name it by --text-model: a folder or hf:owner/repo.`);
  const folder = backbone.endsWith('.onnx') ? dirname(resolve(backbone)) : resolve(backbone);
  return basename(folder) === 'onnx' ? dirname(folder) : folder;
}

async function encodeAll(
  encode: TextEncoder,
  texts: readonly string[],
  { signal }: TrainControl,
): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (let at = 0; at < texts.length; at += BATCH) {
    if (signal?.aborted) throw new AbortedError('Stopped while the names of classes were read.');
    all.push(...(await encode(texts.slice(at, at + BATCH))));
  }
  return all;
}

/** The direction of the mean of directions. @throws InputError for vectors of another width, or without a direction */
function meanDirection(texts: readonly Float32Array[], width: number, name: string): Float32Array {
  const sum = new Float64Array(width);
  for (const text of texts) {
    if (text.length !== width)
      throw new InputError(
        `What the text side says of "${name}" has ${text.length} numbers, what the image side says of images ${width}: they are not of one network.`,
      );
    const length = Math.hypot(...text);
    for (let i = 0; i < width; i++) sum[i]! += text[i]! / length;
  }
  const length = Math.hypot(...sum);
  if (!(length > 0)) throw new InputError(`What the text side says of "${name}" has no direction.`);
  return Float32Array.from(sum, (x) => x / length);
}

/** @throws InputError for what is no JSON of a list of numbers a class */
async function readEmbeddings(file: string, classes: readonly string[]): Promise<Float32Array[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new InputError(`Can't read ${file} (--text-embeddings): ${(error as Error).message}.`, { cause: error });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file} is no JSON: ${(error as Error).message}.`, { cause: error });
  }
  const parsed = z.record(z.string(), z.array(z.number()).min(1)).safeParse(content);
  if (!parsed.success)
    throw new InputError(
      `${file}: expected an object with a list of numbers for each class, {"dress": [0.1, ...], ...}.`,
    );
  return classes.map((name) => {
    const found = Object.hasOwn(parsed.data, name) ? parsed.data[name] : undefined;
    if (found === undefined)
      throw new InputError(
        `${file} has nothing for the class "${name}"; it has ${Object.keys(parsed.data).join(', ')}.`,
      );
    return Float32Array.from(found);
  });
}
