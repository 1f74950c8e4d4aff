import { ModelError, suggestion } from '../core/errors.ts';
import { attribute, producers, type Graph, type Node, type Shape, type ValueInfo } from '../onnx/graph.ts';
import { constantValues } from './subgraph.ts';

/** How a value becomes one vector an image. */
export type EmbeddingPooling =
  /** [N, D] as it is. */
  | 'none'
  /** [N, D, 1, 1] or [N, 1, D]: sides of 1 are dropped. */
  | 'flatten'
  /** [N, D, H, W]: the mean over H and W. */
  | 'average'
  /** [N, T, D]: token 0. */
  | 'first-token'
  /** [N, T, D]: the mean over tokens. */
  | 'mean-token';

/** Columns of features that come from one place, in a row. */
export interface FeaturePart {
  readonly width: number;
  /** Its deviation in relation to that of other parts in a probe, whatever both are. */
  readonly weight: number;
}

/** Where a network's features are, and what follows them. */
export interface Embedding {
  readonly value: string;
  readonly pooling: EmbeddingPooling;
  /** Features an image. */
  readonly width: number;
  /** What it is joined from, in a row, where that is several. */
  readonly parts?: readonly FeaturePart[];
  /** The linear layer that reads it; undefined for a feature extractor. */
  readonly classifier?: {
    /** Name of the Gemm, MatMul or Conv. */
    readonly node: string;
    /** The output of the graph that it leads to. */
    readonly output: string;
    readonly classes: number;
  };
}

export interface FindEmbeddingOptions {
  /** The value to take, by name; `NAME:first` or `NAME:mean` for tokens [N, T, D]. */
  readonly embedding?: string;
  /** The value that holds the logits or probabilities. */
  readonly logits?: string;
}

/** Names that say what an output holds, where a graph has several. */
const SCORES = /logit|prob|score|class|softmax/i;
const FEATURES = /embed|feature|pool|representation/i;
/** What transformers call the tokens [N, T, D] after the last layer. */
const TOKENS = 'last_hidden_state';

/**
 * Finds the embedding of a classifier, the input of its last Gemm, MatMul or 1x1 convolution, or of a
 * feature extractor, its output; of one that has tokens alone (`last_hidden_state`), the first of these, or their mean where each
 * is a patch.
 * @throws ModelError that names the outputs and the flags to use, where it can't be told.
 * @example
 * findEmbedding(graph).width; // 1280
 */
export function findEmbedding(graph: Graph, options: FindEmbeddingOptions = {}): Embedding {
  const classifier =
    options.logits === undefined ? undefined : classifierOf(graph, named(graph, options.logits, '--logits'));
  if (options.embedding !== undefined) return byName(graph, options.embedding, classifier?.classifier);
  if (options.logits !== undefined) {
    if (classifier !== undefined) return classifier;
    throw new ModelError(
      `No linear layer leads to "${options.logits}" (--logits): expected a Gemm, MatMul or 1x1 Conv with constant weights before it. Name the features with --embedding.`,
    );
  }
  const outputs = graph.outputs.filter((output) =>
    (typeOf(graph, output.name)?.dtype ?? 'float32').startsWith('float'),
  );
  const scores = outputs.filter(({ name }) => SCORES.test(name));
  const features = outputs.filter(({ name }) => FEATURES.test(name));
  const others = outputs.filter((output) => !features.includes(output));
  for (const output of scores.length > 0 ? scores : others) {
    const found = classifierOf(graph, output.name);
    if (found !== undefined) return found;
  }
  const candidates = features.length > 0 ? features : scores.length > 0 ? [] : outputs;
  const usable = candidates.filter(({ name }) => poolingOf(shapeOf(graph, name)) !== undefined);
  if (usable.length === 1) return asEmbedding(graph, usable[0]!.name, poolingOf(shapeOf(graph, usable[0]!.name))!);
  const tokens = outputs.find(({ name }) => name === TOKENS && shapeOf(graph, name)?.length === 3);
  if (usable.length === 0 && tokens !== undefined) return asEmbedding(graph, TOKENS, tokenPooling(graph));
  throw new ModelError(
    `The features of the model can't be told: no output ends in a linear layer, and ${usable.length === 0 ? 'none is' : 'several are'} of shape [N, D] or [N, D, H, W]. ` +
      `Outputs: ${graph.outputs.map((output) => describeOutput(graph, output)).join(', ')}. Name the value with --embedding (NAME:first or NAME:mean for tokens).`,
  );
}

/** A square of tokens is one for each patch; where there are others, the first one stands for the image (DINOv2, CLIP, ViT). */
function tokenPooling(graph: Graph): EmbeddingPooling {
  const count = shapeOf(graph, TOKENS)?.[1];
  return typeof count === 'number' && Number.isInteger(Math.sqrt(count)) ? 'mean-token' : 'first-token';
}

function byName(graph: Graph, wanted: string, classifier: Embedding['classifier']): Embedding {
  const token = /^(.*):(first|mean)$/.exec(wanted);
  const isToken = token !== null && !hasValue(graph, wanted);
  const value = named(graph, isToken ? token[1]! : wanted, '--embedding');
  const shape = shapeOf(graph, value);
  const pooling = isToken ? (`${token[2] as 'first' | 'mean'}-token` as const) : poolingOf(shape);
  if (pooling === undefined || (isToken && shape !== undefined && shape.length !== 3))
    throw new ModelError(
      `"${value}" (--embedding) must be of shape [N, D] or [N, D, H, W], or [N, T, D] with :first or :mean after its name; it is ${shape === undefined ? 'of unknown shape' : `[${shape}]`}.`,
    );
  const found = asEmbedding(graph, value, pooling);
  return classifier === undefined ? found : { ...found, classifier };
}

/** The embedding before the linear layer that `output` comes from, or undefined. */
function classifierOf(graph: Graph, output: string): Embedding | undefined {
  const makers = producers(graph);
  const constant = constantValues(graph);
  const search = (value: string, pooled: boolean): Embedding | undefined => {
    const node = makers.get(value);
    if (node === undefined || node.domain !== '') return undefined;
    const next = beforeClassifier(node, constant, pooled);
    if (next !== undefined) return search(next, pooled || POOLING.has(node.opType));
    const isSum = node.opType === 'Add' && shapeOf(graph, value)?.length === 2;
    if (!isSum || node.inputs.some((input) => constant.has(input)))
      return linearLayer(graph, node, constant, makers, output);
    // Two classifiers whose answers are averaged (distilled transformers): the first one's features.
    const [first, second] = node.inputs.map((input) => search(input, pooled));
    return first !== undefined && first.classifier!.classes === second?.classifier!.classes ? first : undefined;
  };
  return search(output, false);
}

/** What may stand between a classifier and its output without changing which class is which. */
const TRANSPARENT = new Set([
  'Cast',
  'DequantizeLinear',
  'Dropout',
  'Flatten',
  'Identity',
  'LogSoftmax',
  'QuantizeLinear',
  'Reshape',
  'Sigmoid',
  'Softmax',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);
const POOLING = new Set(['GlobalAveragePool', 'AveragePool', 'ReduceMean']);
const ELEMENTWISE = new Set(['Add', 'Sub', 'Mul', 'Div']);

function beforeClassifier(node: Node, constant: ReadonlySet<string>, pooled: boolean): string | undefined {
  const { opType, inputs } = node;
  // SqueezeNet: 1x1 convolution, ReLU, mean.
  if (TRANSPARENT.has(opType) || POOLING.has(opType) || (opType === 'Relu' && pooled)) return inputs[0];
  if (!ELEMENTWISE.has(opType)) return undefined;
  const [a, b] = inputs as readonly [string, string];
  if (constant.has(b) && !constant.has(a)) return a;
  return constant.has(a) && !constant.has(b) && opType !== 'Div' ? b : undefined;
}

function linearLayer(
  graph: Graph,
  node: Node,
  constant: ReadonlySet<string>,
  makers: ReadonlyMap<string, Node>,
  output: string,
): Embedding | undefined {
  const [input, weight] = node.inputs as readonly [string, string];
  if (!['Gemm', 'MatMul', 'Conv'].includes(node.opType) || !constant.has(weight) || constant.has(input))
    return undefined;
  const sides = shapeOf(graph, weight);
  let value = input;
  for (
    let maker = makers.get(value);
    maker?.opType === 'Dropout' || maker?.opType === 'Identity';
    maker = makers.get(value)
  )
    value = maker.inputs[0]!;
  const shape = shapeOf(graph, value);
  if (sides === undefined || sides.some((side) => typeof side !== 'number')) return undefined;
  const found = (classes: number, width: number, pooling: EmbeddingPooling): Embedding => ({
    value,
    pooling,
    width,
    classifier: { node: node.name, output, classes },
  });
  const [first, second, ...kernel] = sides as number[];
  if (node.opType === 'Conv') {
    if (kernel.some((side) => side !== 1) || attribute(node, 'group', 'int', 1) !== 1) return undefined;
    return found(first!, second!, shape?.slice(2).every((side) => side === 1) ? 'flatten' : 'average');
  }
  if (sides.length !== 2) return undefined;
  if (node.opType === 'Gemm') {
    if (attribute(node, 'transA', 'int', 0) === 1) return undefined;
    return attribute(node, 'transB', 'int', 0) === 1 ? found(first!, second!, 'none') : found(second!, first!, 'none');
  }
  const rank = shape?.length ?? 2;
  if (rank > 2 && !shape!.slice(1, -1).every((side) => side === 1)) return undefined;
  return found(second!, first!, rank === 2 ? 'none' : 'flatten');
}

function poolingOf(shape: Shape | undefined): EmbeddingPooling | undefined {
  if (shape === undefined) return undefined;
  if (shape.length === 2) return 'none';
  if (shape.length > 2 && shape.slice(1).filter((side) => side !== 1).length === 1) return 'flatten';
  return shape.length === 4 ? 'average' : undefined;
}

function asEmbedding(graph: Graph, value: string, pooling: EmbeddingPooling): Embedding {
  const shape = shapeOf(graph, value) ?? [];
  const width =
    pooling === 'flatten' ? shape.slice(1).find((side) => side !== 1) : pooling.endsWith('token') ? shape[2] : shape[1];
  if (typeof width !== 'number')
    throw new ModelError(`The number of features in "${value}" is not known before the run: its shape is [${shape}].`);
  return { value, pooling, width };
}

function named(graph: Graph, value: string, flag: string): string {
  if (hasValue(graph, value)) return value;
  const values = [...graph.outputs.map((output) => output.name), ...graph.nodes.flatMap((node) => node.outputs)];
  throw new ModelError(`The model has no value "${value}" (${flag})${suggestion(value, values)}.`);
}

function hasValue(graph: Graph, value: string): boolean {
  return value !== '' && graph.nodes.some((node) => node.outputs.includes(value));
}

function typeOf(graph: Graph, value: string): ValueInfo['type'] | undefined {
  return graph.types.get(value) ?? graph.outputs.find((output) => output.name === value)?.type;
}

function shapeOf(graph: Graph, value: string): Shape | undefined {
  return graph.initializers.get(value)?.shape ?? typeOf(graph, value)?.shape;
}

function describeOutput(graph: Graph, output: ValueInfo): string {
  const shape = shapeOf(graph, output.name);
  return `${output.name} ${shape === undefined ? '(shape unknown)' : `[${shape}]`}`;
}
