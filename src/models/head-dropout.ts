import { producers, type Graph } from '../onnx/graph.ts';
import { insert } from '../onnx/insert.ts';
import { findEmbedding } from './embedding.ts';

/**
 * A classifier with dropout in front of its last linear layer; where there is one already, it gets the rate. Inactive
 * unless training gives it a mask.
 * @param logits the output that the layer leads to
 * @param rate 0..1 (1 excluded)
 * @throws RangeError for a rate out of range, ModelError where no linear layer leads to the logits.
 */
export function withHeadDropout(graph: Graph, logits: string, rate: number): Graph {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`dropout must be at least 0 and below 1, got ${rate}.`);
  const { classifier } = findEmbedding(graph, { logits });
  const head = graph.nodes.find((node) => node.name === classifier!.node)!;
  const before = producers(graph).get(head.inputs[0]!);
  if (before?.opType === 'Dropout') return insert(graph, [{ node: before, input: 1, emit: (b) => b.float(rate) }]);
  return insert(graph, [
    { node: head, input: 0, emit: (b, value) => b.op('Dropout', [value, b.float(rate)], {}, { name: 'head_dropout' }) },
  ]);
}
