import { attribute, ONNX_DOMAIN, type Node, type Shape } from './graph.ts';
import { windowOf } from './shapes/windows.ts';

const POOLS: ReadonlySet<string> = new Set(['AveragePool', 'LpPool', 'MaxPool']);

/**
 * A pooling without `ceil_mode` where its windows fill the input exactly: rounding up changes nothing
 * then, and engines have faster kernels without. Other nodes as they are.
 */
export function withoutIdleCeil(node: Node, input: Shape | undefined): Node {
  if (node.domain !== ONNX_DOMAIN || !POOLS.has(node.opType) || attribute(node, 'ceil_mode', 'int', 0) === 0)
    return node;
  const window = windowOf(node, attribute(node, 'kernel_shape', 'ints'));
  const spatial = input?.slice(2);
  const { pads } = window;
  if (pads === undefined || spatial === undefined) return node;
  const exact = spatial.every((side, i) => {
    if (typeof side !== 'number') return false;
    const extent = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    const room = side + pads[i]! + pads[i + spatial.length]! - extent;
    return Number.isInteger(room / window.strides[i]!);
  });
  if (!exact) return node;
  return {
    ...node,
    attributes: Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name !== 'ceil_mode')),
  };
}
