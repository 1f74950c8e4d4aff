import { ModelError } from '../core/errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { attribute, producers, type Graph, type Node, type Shape } from '../onnx/graph.ts';
import { findEmbedding, type FindEmbeddingOptions } from './embedding.ts';

/** What may stand between the mean of the last maps and the classifier. */
const FLATTENING = new Set(['Flatten', 'Reshape', 'Squeeze', 'Identity']);

/**
 * The network with its class activation maps as one more output, `cam` [N, K, h, w]: what each place of the last maps says for
 * each class (Zhou et al. 2016, arXiv:1512.04150, equation 2). Their mean over the map plus the classifier's bias is
 * the logit. The name is `cam_1` and so on where the network has a `cam` of its own; it is the last output.
 * @throws ModelError where the network does not end in the mean of maps and one linear layer
 * @example
 * const explained = withClassActivation(graph);
 * const session = await engine.load(writeModel({ graph: explained }));
 */
export function withClassActivation(graph: Graph, options: FindEmbeddingOptions = {}): Graph {
  const { value, classifier } = findEmbedding(graph, options);
  const maps = mapsBefore(value, graph);
  if (classifier === undefined || maps === undefined)
    throw new ModelError(
      `Class activation maps need a network that ends in the mean of its last maps and one linear layer; ` +
        `${classifier === undefined ? 'there is no linear layer' : `"${value}", which the linear layer reads, is no such mean`}.`,
    );
  const b = GraphBuilder.from(graph);
  const layer = graph.nodes.find(({ name }) => name === classifier.node)!;
  const weight = layer.inputs[1]!;
  // [K, D] or [D, K] as Gemm and MatMul have it; a convolution's is a kernel already.
  const isTurned = layer.opType === 'MatMul' || (layer.opType === 'Gemm' && attribute(layer, 'transB', 'int', 0) === 0);
  const rows = isTurned ? b.op('Transpose', [weight], { perm: [1, 0] }, { name: 'cam_rows' }) : weight;
  const kernel =
    layer.opType === 'Conv' ? weight : b.op('Unsqueeze', [rows, b.int([2, 3])], {}, { name: 'cam_kernel' });
  b.output(b.op('Conv', [maps, kernel], {}, { name: 'cam', outputs: [b.uniqueName('cam')] }));
  return b.build();
}

/** The maps [N, D, h, w] whose mean over h and w is `value`, or undefined. */
export function mapsBefore(value: string, graph: Graph): string | undefined {
  const makers = producers(graph);
  let maker = makers.get(value);
  while (maker !== undefined && FLATTENING.has(maker.opType)) maker = makers.get(maker.inputs[0]!);
  return maker !== undefined && isMeanOfMaps(maker, graph) ? maker.inputs[0] : undefined;
}

function isMeanOfMaps({ opType, inputs, outputs }: Node, graph: Graph): boolean {
  if (opType === 'GlobalAveragePool') return true;
  const shapeOf = (name: string): Shape | undefined => graph.types.get(name)?.shape;
  const [maps, mean] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  return (
    opType === 'ReduceMean' &&
    maps?.length === 4 &&
    mean !== undefined &&
    mean[1] === maps[1] &&
    (mean.length === 2 || (mean[2] === 1 && mean[3] === 1))
  );
}
