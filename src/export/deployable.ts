import { ModelError } from '../core/errors.ts';
import { float32Scalar, tensor } from '../core/tensor.ts';
import { addCrop, addNormalise, checkNetworkInput, type Preprocessing } from '../models/preprocessing.ts';
import type { OutlierScorer } from '../evaluate/outliers.ts';
import { addDirection } from '../models/direction.ts';
import { toMetadata, toModelJson, type ModelDescription } from '../models/description.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { append } from '../onnx/compose.ts';
import { foldConstants } from '../onnx/fold.ts';
import { describeNode, pruned, type Graph, type Shape } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';

/** What becomes one file. */
export interface DeployableParts {
  /** The network: one float32 input as `preprocessing` says, `logits` [N, K] among its outputs. */
  readonly graph: Graph;
  /** Name of the logits; default `logits`, or the only output. */
  readonly logits?: string;
  readonly preprocessing: Preprocessing;
  /** K names, in the order of the logits. */
  readonly classes: readonly string[];
  /** What the logits are divided by before the softmax; default 1. */
  readonly temperature?: number;
  /** The least probability at which the likeliest class is to be believed. */
  readonly abstainThreshold?: number;
  /** How images that are none of the classes are told. */
  readonly outliers?: OutlierParts | undefined;
  /** Seed, versions, fingerprint of the data: nothing that differs between two runs with the same weights. */
  readonly provenance?: ModelDescription['provenance'];
  /** Default `float32`. */
  readonly variant?: 'float32' | 'float16' | 'int8';
}

export interface OutlierParts {
  readonly scorer: OutlierScorer;
  /** Output of the network that is scored, [N, D]. */
  readonly embedding: string;
  /** Of the score; absent where too few images were held out to say. */
  readonly threshold?: number | undefined;
}

/** One ONNX file and what lies beside it. */
export interface ModelFile {
  readonly description: ModelDescription;
  /** The ONNX file; the same bytes for the same parts. */
  readonly bytes: Uint8Array;
  /** `model.json`: what the file's metadata says, for programs that can't read it. */
  readonly json: string;
}

/**
 * The graph that is deployed: `image` uint8 [N, H, W, 3] (RGB, upright, any H and W) in; `probabilities`
 * [N, K] float32, `logits` [N, K] float32 (before the temperature), `classes` [K] string and, where it is known how to tell
 * it, `outlier_score` [N] float32 out.
 * @throws ModelError where network, preprocessing and classes do not fit together, or the network would
 *   still compute batch statistics; RangeError for a temperature that is not over 0
 */
export function deployableGraph(parts: DeployableParts): Graph {
  const { preprocessing, classes, temperature = 1, outliers } = parts;
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new RangeError(`The temperature must be over 0, got ${temperature}.`);
  const network = networkToOutputs(parts);
  checkNetworkInput(network, preprocessing);

  const b = new GraphBuilder('classifier');
  const image = b.input('image', 'uint8', ['N', 'H', 'W', 3]);
  const input = addNormalise(b, addCrop(b, image, preprocessing), preprocessing);
  // With a prefix, no value of the network can take the name of an output.
  const appended = append(b, network, { [network.inputs[0]!.name]: input }, { prefix: 'network/' });
  const result = appended[network.outputs[0]!.name]!;
  // Logits that a 1x1 convolution made are [N, K, 1, 1]; the sides say for all others that K is known.
  const logits = b.op('Reshape', [result, b.int([0, classes.length])], {}, { outputs: ['logits'] });
  const scaled =
    temperature === 1
      ? logits
      : b.op('Div', [logits, b.constant(float32Scalar(temperature))], {}, { name: 'calibrated_logits' });
  const probabilities = b.op('Softmax', [scaled], { axis: 1 }, { outputs: ['probabilities'] });
  const names = b.initializer('class_names', tensor('string', [classes.length], [...classes]));
  b.output(probabilities);
  b.output(logits);
  b.output(names, 'classes');
  if (outliers !== undefined) b.output(addOutlierScore(b, appended[outliers.embedding]!, outliers.scorer));
  return b.build();
}

/** Names in the file by which the scorer is found again. */
const OUTLIER_NAMES = { weight: 'outlier/weight', bias: 'outlier/bias', length: 'outlier/length' } as const;

/** As `outlierScores` computes it. @param embedding name of a float32 value [N, D] @returns name of a value [N] */
function addOutlierScore(b: GraphBuilder, embedding: string, { weight, bias }: OutlierScorer): string {
  const shape = [bias.length, weight.length / bias.length];
  const { length } = OUTLIER_NAMES;
  const direction = addDirection(b, embedding, {
    length,
    positive: 'outlier/positive',
    direction: 'outlier/direction',
  });
  const inputs = [
    direction,
    b.initializer(OUTLIER_NAMES.weight, tensor('float32', shape, weight)),
    b.initializer(OUTLIER_NAMES.bias, tensor('float32', [bias.length], bias)),
  ];
  const likeness = b.op('Gemm', inputs, { transB: 1 }, { name: 'outlier/likeness' });
  const nearest = b.op('ReduceMax', [likeness, b.int([1])], { keepdims: 0 }, { name: 'outlier/nearest' });
  return b.op('Neg', [nearest], {}, { name: 'outlier/score', outputs: ['outlier_score'] });
}

/** The scorer of a file that `deployableGraph` made, and the value that it scores; undefined where there is none. */
export function outlierPartsOf(graph: Graph): Pick<OutlierParts, 'scorer' | 'embedding'> | undefined {
  const length = graph.nodes.find(({ name }) => name === OUTLIER_NAMES.length);
  const [weight, bias] = [OUTLIER_NAMES.weight, OUTLIER_NAMES.bias].map((name) => graph.initializers.get(name));
  if (length === undefined || weight === undefined || bias === undefined) return undefined;
  const scorer = { weight: weight.data as Float32Array, bias: bias.data as Float32Array };
  return { scorer, embedding: length.inputs[0]! };
}

/**
 * The whole classifier as one file, with its description in the metadata.
 * @example
 * const { bytes, json } = deployableModel({ graph, preprocessing, classes: ['cat', 'dog'], temperature: 1.3 });
 */
export function deployableModel(parts: DeployableParts): ModelFile {
  const description = describe(parts, parts.variant ?? 'float32');
  const bytes = writeModel({ graph: deployableGraph(parts), metadata: toMetadata(description) });
  return { description, bytes, json: toModelJson(description) };
}

/**
 * The network alone, for programs that do their own preprocessing: `input` float32 in, `logits` [N, K]
 * float32 out. What it must be fed is in the metadata and in `model.json`.
 * @throws ModelError as `deployableGraph`
 */
export function bareModel(parts: Omit<DeployableParts, 'variant'>): ModelFile {
  const { preprocessing, classes } = parts;
  const network = networkToLogits(parts.graph, parts.logits, classes.length);
  checkNetworkInput(network, preprocessing);
  const b = new GraphBuilder('network');
  const [h, w] = preprocessing.inputSize;
  const input = b.input('input', 'float32', preprocessing.layout === 'nchw' ? ['N', 3, h, w] : ['N', h, w, 3]);
  const appended = append(b, network, { [network.inputs[0]!.name]: input }, { prefix: 'network/' });
  const result = appended[network.outputs[0]!.name]!;
  b.output(b.op('Reshape', [result, b.int([0, classes.length])], {}, { outputs: ['logits'] }));
  const description = describe(parts, 'bare');
  return {
    description,
    bytes: writeModel({ graph: b.build(), metadata: toMetadata(description) }),
    json: toModelJson(description),
  };
}

function describe(parts: DeployableParts, variant: ModelDescription['variant']): ModelDescription {
  return {
    format: 1,
    variant,
    classes: parts.classes,
    temperature: parts.temperature ?? 1,
    abstainThreshold: parts.abstainThreshold,
    ...(variant !== 'bare' && { outlierThreshold: parts.outliers?.threshold }),
    preprocessing: parts.preprocessing,
    provenance: parts.provenance ?? {},
  };
}

/** The network with what is deployed of it as outputs: its logits first, then the embedding where outliers are scored. */
export function networkToOutputs({ graph, logits, classes, outliers }: Omit<DeployableParts, 'variant'>): Graph {
  return networkToLogits(graph, logits, classes.length, outliers?.embedding);
}

/**
 * The network with its logits as the only output, and without what is known before the run.
 * @param logits name of the output; default `logits`, or the only one there is
 * @param embedding name of an output that stays beside it
 * @throws ModelError where there is no such output, it has not one value a class, or batch norm is still in training
 */
export function networkToLogits(
  network: Graph,
  logits: string | undefined,
  classes: number,
  embedding?: string,
): Graph {
  const named = network.outputs.map((output) => output.name);
  const wanted = logits ?? (named.length === 1 ? named[0]! : 'logits');
  const output = network.outputs.find(({ name }) => name === wanted);
  if (output === undefined)
    throw new ModelError(`The network has no output "${wanted}" for its logits; it has ${named.join(', ')}.`);
  const further = network.outputs.filter(({ name }) => name === embedding);
  const part = foldConstants(pruned({ ...network, outputs: [output, ...further] }));
  const { type } = part.outputs[0]!;
  if (type.dtype !== 'float32' || !holdsLogits(type.shape, classes))
    throw new ModelError(
      `The logits "${wanted}" must be float32 [N, ${classes}], one for each class, got ${type.dtype} [${type.shape}].`,
    );
  for (const node of part.nodes)
    if (node.opType === 'BatchNormalization' && node.attributes['training_mode']?.value === 1)
      throw new ModelError(
        `${describeNode(node)} is in training mode: what it returns would depend on the other images of a batch.`,
      );
  return part;
}

function holdsLogits(shape: Shape | undefined, classes: number): boolean {
  if (shape === undefined) return true;
  const [, channels, ...spatial] = shape;
  return (
    shape.length >= 2 &&
    (typeof channels === 'string' || channels === classes) &&
    spatial.every((side) => typeof side === 'string' || side === 1)
  );
}
