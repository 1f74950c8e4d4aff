import { InputError } from '../core/errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { append } from '../onnx/compose.ts';
import { attribute, type Graph, type Node } from '../onnx/graph.ts';
import { specialize } from '../onnx/specialize.ts';
import { atOtherGrid } from './token-positions.ts';

/**
 * The network for images of another size, with the same weights: for convolutional networks, whose features are pooled over all
 * of the image, and vision transformers, whose positions are interpolated (`atOtherGrid`). A pooling over exactly all of it stays one.
 * @param size height and width, in pixels
 * @throws InputError where the size is built into the network otherwise: a layer on a flattened map.
 */
export function atInputSize(graph: Graph, size: readonly [number, number], layout: 'nchw' | 'nhwc'): Graph {
  const { name, type } = graph.inputs[0]!;
  const shapeOf = (batch: number | string): (number | string)[] =>
    layout === 'nchw' ? [batch, 3, ...size] : [batch, ...size, 3];
  const b = new GraphBuilder(graph.name);
  b.input(name, type.dtype, shapeOf(type.shape?.[0] ?? 'N'));
  const was = type.shape?.slice(...(layout === 'nchw' ? [2, 4] : [1, 3]));
  const before = was?.every((side) => typeof side === 'number') ? (was as [number, number]) : undefined;
  const own = (before && layout === 'nchw' && atOtherGrid(graph, before, size)) || graph;
  try {
    const nodes = own.nodes.map((node) => withGlobalPooling(node, own));
    const outputs = append(b, { ...own, nodes }, { [name]: name });
    for (const [output, value] of Object.entries(outputs)) b.output(value, output);
    const resized = b.build();
    // Sizes that do not fit together show where the batch is a number, too.
    const fixed = specialize(resized, { inputs: { [name]: shapeOf(2) as number[] } });
    for (const [i, output] of fixed.outputs.entries()) {
      const before = graph.outputs[i]!.type.shape?.slice(1);
      if (output.type.shape?.[0] !== 2 || String(output.type.shape.slice(1)) !== String(before))
        throw new RangeError(`its output "${output.name}" would be [${output.type.shape}]`);
    }
    return resized;
  } catch (error) {
    throw new InputError(
      `"${graph.name}" takes images of ${was?.join('x')} alone, not of ${size.join('x')}: the size is built into it, as a layer on a flattened map is (${(error as Error).message}).`,
      { cause: error },
    );
  }
}

function withGlobalPooling(node: Node, graph: Graph): Node {
  if (node.domain !== '' || !['AveragePool', 'MaxPool'].includes(node.opType) || node.outputs.length > 1) return node;
  const kernel = attribute(node, 'kernel_shape', 'ints');
  const sides = graph.types.get(node.inputs[0]!)?.shape?.slice(2);
  const isPadded = attribute(node, 'pads', 'ints', []).some((pad) => pad > 0);
  if (isPadded || String(kernel) !== String(sides)) return node;
  return { ...node, opType: `Global${node.opType}`, attributes: {} };
}
