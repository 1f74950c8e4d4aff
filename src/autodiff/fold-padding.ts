import { toNumbers } from '../core/tensor.ts';
import { attribute, ints, pruned, string, type Graph, type Node } from '../onnx/graph.ts';

/**
 * A Pad of zeros in front of a convolution becomes part of the convolution's own padding, as exporters of
 * TensorFlow models do not write it: one copy of the image less, forward and backward.
 */
export function foldPadding(graph: Graph): Graph {
  const pads = new Map<string, { readonly source: string; readonly pads: readonly number[] }>();
  for (const node of graph.nodes) {
    const spatial = spatialZeroPads(graph, node);
    if (spatial !== undefined) pads.set(node.outputs[0]!, { source: node.inputs[0]!, pads: spatial });
  }
  if (pads.size === 0) return graph;
  const nodes = graph.nodes.map((node) => {
    const pad = node.opType === 'Conv' && node.domain === '' ? pads.get(node.inputs[0]!) : undefined;
    const autoPad = attribute(node, 'auto_pad', 'string', 'NOTSET');
    if (pad === undefined || (autoPad !== 'NOTSET' && autoPad !== 'VALID')) return node;
    const own = attribute(
      node,
      'pads',
      'ints',
      pad.pads.map(() => 0),
    );
    const total = autoPad === 'VALID' ? pad.pads : own.map((count, i) => count + pad.pads[i]!);
    return {
      ...node,
      inputs: [pad.source, ...node.inputs.slice(1)],
      attributes: { ...node.attributes, auto_pad: string('NOTSET'), pads: ints(total) },
    };
  });
  return pruned({ ...graph, nodes });
}

/** What a Pad adds around the spatial axes, begins then ends, if it adds zeros there and nowhere else. */
function spatialZeroPads(graph: Graph, node: Node): number[] | undefined {
  if (node.opType !== 'Pad' || node.domain !== '' || node.inputs[3]) return undefined;
  if (attribute(node, 'mode', 'string', 'constant') !== 'constant') return undefined;
  const value = node.inputs[2] ? graph.initializers.get(node.inputs[2]) : undefined;
  if (node.inputs[2] && (value === undefined || toNumbers(value)[0] !== 0)) return undefined;
  const known = graph.initializers.get(node.inputs[1]!);
  if (known === undefined) return undefined;
  const pads = toNumbers(known);
  const rank = pads.length / 2;
  const [begins, ends] = [pads.slice(0, rank), pads.slice(rank)];
  const others = [...begins.slice(0, 2), ...ends.slice(0, 2)];
  if (rank < 3 || pads.some((count) => count < 0) || others.some((count) => count !== 0)) return undefined;
  return [...begins.slice(2), ...ends.slice(2)];
}
