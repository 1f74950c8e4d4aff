import { tensor } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import { addDirection } from './direction.ts';
import type { Embedding } from './embedding.ts';
import { withEmbedding } from './head.ts';

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
  const direction = addDirection(b, value, {
    length: 'embedding_length',
    positive: 'embedding_positive',
    direction: 'embedding_direction',
  });
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
