import { attribute, int, type Node } from '../graph.ts';
import type { Lift } from './lift.ts';

/**
 * Softmax, LogSoftmax and Hardmax. Before opset 13 the input is seen as a matrix, split at `axis`
 * (default 1), and each row as a whole is normalised; since then one axis (default -1) is.
 */
export const softmax: Lift = (node, opset, builder) => {
  if (opset >= 13) return node;
  const axis = attribute(node, 'axis', 'int', 1);
  const [input] = node.inputs as [string];
  const rank = builder.typeIfKnown(input)?.shape?.length;
  const onLast = axis === -1 || (rank !== undefined && axis === rank - 1);
  if (onLast) return { ...node, attributes: { axis: int(-1) } };
  const matrix = builder.op('Flatten', [input], { axis }, { name: `${node.name}/flatten` });
  const rows = builder.op(node.opType, [matrix], { axis: -1 }, { name: `${node.name}/rows` });
  const shape = builder.op('Shape', [input], {}, { name: `${node.name}/shape` });
  return { ...node, opType: 'Reshape', inputs: [rows, shape], attributes: {} } satisfies Node;
};
