import { float32Scalar, tensor } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Embedding } from './embedding.ts';
import { withEmbedding } from './head.ts';

/** The least length that an embedding is divided by. */
const LEAST = 1e-12;

/**
 * Puts classes on an embedding by the cosine of its angle to a direction a class: logits = scale · W · e / |e|.
 * @param directions [K, D], each of length 1
 * @returns the graph, whose only output is `logits` [N, K]
 * @throws RangeError where directions do not fit the embedding
 */
export function withCosineHead(
  graph: Graph,
  embedding: Embedding,
  directions: Float32Array,
  classes: number,
  scale: number,
): { readonly graph: Graph; readonly logits: string } {
  if (directions.length !== classes * embedding.width)
    throw new RangeError(
      `${classes} classes on ${embedding.width} features need ${classes * embedding.width} numbers, got ${directions.length}.`,
    );
  const { builder: b, value } = withEmbedding(graph, embedding);
  const length = b.op('ReduceL2', [value, b.int([1])], { keepdims: 1 }, { name: 'embedding_length' });
  const positive = b.op('Max', [length, b.constant(float32Scalar(LEAST))], {}, { name: 'embedding_positive' });
  const direction = b.op('Div', [value, positive], {}, { name: 'embedding_direction' });
  const weight = b.initializer(
    b.uniqueName('head.weight'),
    tensor(
      'float32',
      [classes, embedding.width],
      directions.map((x) => scale * x),
    ),
  );
  const logits = b.op('Gemm', [direction, weight], { transB: 1 }, { name: 'head', outputs: [b.uniqueName('logits')] });
  b.output(logits);
  return { graph: b.build(), logits };
}
