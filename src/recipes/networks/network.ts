import { extract } from '../../onnx/compose.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Embedding } from '../../models/embedding.ts';
import { featureExtractor, replaceHead, type HeadWeights } from '../../models/head.ts';
import { networkOnCrops, type Preprocessing } from '../../models/preprocessing.ts';

/** A classifier in training: its graph, and the names by which its parts go. */
export interface Network {
  /** Input as `preprocessing` says, outputs `logits` and, where known, `embedding`. */
  readonly graph: Graph;
  readonly input: string;
  readonly logits: string;
  readonly preprocessing: Preprocessing;
  /** Names of the parameters of the head; empty where it has none of its own rate. */
  readonly head: readonly string[];
}

/** A backbone with a new linear head of `classes` outputs on its embedding. */
export function withNewHead(
  graph: Graph,
  embedding: Embedding,
  preprocessing: Preprocessing,
  classes: number,
  init: 'zeros' | HeadWeights,
  dropout: number,
): Network {
  const headed = replaceHead(graph, embedding, classes, { init, ...(dropout > 0 && { dropout }) });
  return {
    graph: headed.graph,
    input: onlyInput(headed.graph),
    logits: headed.logits,
    preprocessing,
    head: [headed.head.weight, headed.head.bias],
  };
}

/** From cropped pixels, uint8 [N, h, w, 3], to one output of the network: what evaluation and the feature cache run. */
export function onPixels(graph: Graph, output: string, preprocessing: Preprocessing): Graph {
  return networkOnCrops(extract(graph, [output]), preprocessing);
}

/** The part of a backbone that computes its embedding, on cropped pixels. */
export function featuresOnPixels(graph: Graph, embedding: Embedding, preprocessing: Preprocessing): Graph {
  const extractor = featureExtractor(graph, embedding);
  return onPixels(extractor.graph, extractor.embedding, preprocessing);
}

/** The name of the one input that is fed. */
export function onlyInput(graph: Graph): string {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0)
    throw new RangeError(`A network has one input, "${graph.name}" has ${graph.inputs.length}.`);
  return input.name;
}
