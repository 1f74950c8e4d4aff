import type { Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Embedding } from './embedding.ts';
import { initialise, normal, zero } from './initialise.ts';
import { subgraphFor } from './subgraph.ts';

/** Weights of a linear head: [K, D] and [K] float32. */
export interface HeadWeights {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

export interface ReplaceHeadOptions {
  /** Zeros (the first step then teaches the head alone), normal of deviation 0.01 by `seed`, or given weights. */
  readonly init: 'zeros' | { readonly seed: number } | HeadWeights;
  /** Rate of dropout before the head, 0..1. Default 0. */
  readonly dropout?: number;
}

export interface HeadedGraph {
  /** Outputs: the new logits [N, K] and the embedding [N, D]. */
  readonly graph: Graph;
  /** Names of values; `logits` and `embedding` unless the graph uses these otherwise. */
  readonly logits: string;
  readonly embedding: string;
  /** Names of the new parameters; `head.weight` [K, D] and `head.bias` [K] unless these are taken. */
  readonly head: { readonly weight: string; readonly bias: string };
}

/**
 * Puts a new linear layer of `classes` outputs on the embedding; what came after it is gone.
 * @throws RangeError where given weights have another shape.
 * @example
 * const { graph } = replaceHead(model.graph, findEmbedding(model.graph), 10, { init: 'zeros' });
 */
export function replaceHead(
  graph: Graph,
  embedding: Embedding,
  classes: number,
  options: ReplaceHeadOptions,
): HeadedGraph {
  const { builder, value } = withEmbedding(graph, embedding);
  const names = { weight: builder.uniqueName('head.weight'), bias: builder.uniqueName('head.bias') };
  const { weight, bias } = headWeights(options.init, classes, embedding.width);
  const { dropout = 0 } = options;
  if (!(dropout >= 0 && dropout < 1)) throw new RangeError(`dropout must be at least 0 and below 1, got ${dropout}.`);
  const x =
    dropout === 0 ? value : builder.op('Dropout', [value, builder.float(dropout)], {}, { name: 'head_dropout' });
  const inputs = [x, builder.initializer(names.weight, weight), builder.initializer(names.bias, bias)];
  const outputs = [builder.uniqueName('logits')];
  const logits = builder.op('Gemm', inputs, { transB: 1 }, { name: 'head', outputs });
  builder.output(logits);
  builder.output(value);
  return { graph: builder.build(), logits, embedding: value, head: names };
}

/** The network up to its embedding [N, D], the only output: `embedding`, unless the graph uses that name otherwise. */
export function featureExtractor(graph: Graph, embedding: Embedding): { graph: Graph; embedding: string } {
  const { builder, value } = withEmbedding(graph, embedding);
  builder.output(value);
  return { graph: builder.build(), embedding: value };
}

/**
 * A builder on the part of a network that makes its embedding, with the name of the embedding as [N, D].
 * @param keep further values that must be there
 */
export function withEmbedding(
  graph: Graph,
  { value, pooling, width }: Embedding,
  keep: readonly string[] = [],
): { builder: GraphBuilder; value: string } {
  const builder = GraphBuilder.from(subgraphFor(graph, [value, ...keep]));
  if (value === 'embedding' && pooling === 'none') return { builder, value };
  const outputs = [builder.uniqueName('embedding')];
  const name = outputs[0]!;
  switch (pooling) {
    case 'none':
      return { builder, value: builder.op('Identity', [value], {}, { name, outputs }) };
    case 'flatten':
      return { builder, value: builder.op('Reshape', [value, builder.int([0, width])], {}, { name, outputs }) };
    case 'average': {
      const pooled = builder.op('GlobalAveragePool', [value], {}, { name: 'embedding_pool' });
      return { builder, value: builder.op('Flatten', [pooled], { axis: 1 }, { name, outputs }) };
    }
    case 'first-token':
      return { builder, value: builder.op('Gather', [value, builder.int(0)], { axis: 1 }, { name, outputs }) };
    case 'mean-token':
      return {
        builder,
        value: builder.op('ReduceMean', [value, builder.int([1])], { keepdims: 0 }, { name, outputs }),
      };
  }
}

function headWeights(init: ReplaceHeadOptions['init'], classes: number, width: number): HeadWeights {
  if (typeof init === 'object' && 'weight' in init) {
    if (String(init.weight.shape) !== `${classes},${width}` || String(init.bias.shape) !== String(classes))
      throw new RangeError(
        `A head of ${classes} classes on ${width} features has weights [${classes},${width}] and [${classes}], got [${init.weight.shape}] and [${init.bias.shape}].`,
      );
    return init;
  }
  const how = init === 'zeros' ? zero : normal(0.01);
  const seed = init === 'zeros' ? undefined : init.seed;
  return {
    weight: initialise('head.weight', [classes, width], how, seed),
    bias: initialise('head.bias', [classes], zero, seed),
  };
}
