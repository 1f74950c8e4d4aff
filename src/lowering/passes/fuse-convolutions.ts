import { toNumbers } from '../../core/tensor.ts';
import {
  attribute,
  floats,
  NCHWC_DOMAIN,
  ONNX_DOMAIN,
  string,
  type Attributes,
  type Graph,
  type Node,
} from '../../onnx/graph.ts';

/**
 * The engine's blocked convolution adds a tensor of its output's shape and applies an activation while the
 * output is in registers: a residual sum, an accumulated gradient or an activation that follows a
 * convolution, and that alone reads it, costs no pass of its own.
 */
export function withFusedConvolutions(graph: Graph): Graph {
  const readers = new Map<string, number>();
  const count = (name: string): void => void readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const node of graph.nodes) for (const input of node.inputs) count(input);
  for (const output of graph.outputs) count(output.name);

  const convolutions = new Map<string, Node>();
  const nodes: (Node | undefined)[] = [];
  const places = new Map<Node, number>();
  const put = (node: Node): void => {
    places.set(node, nodes.length);
    nodes.push(node);
    if (node.domain === NCHWC_DOMAIN && node.opType === 'Conv') convolutions.set(node.outputs[0]!, node);
  };
  const remove = (node: Node): void => void (nodes[places.get(node)!] = undefined);
  /** The convolution that makes `value` for one reader only, with nothing after it yet. */
  const openConvolution = (value: string): Node | undefined => {
    const conv = convolutions.get(value);
    return conv !== undefined && readers.get(value) === 1 && !('activation' in conv.attributes) ? conv : undefined;
  };

  for (const node of graph.nodes) {
    if (node.domain !== ONNX_DOMAIN) {
      put(node);
      continue;
    }
    if (node.opType === 'Add' && sameShapes(graph, node)) {
      // The later of two convolutions: the other is there when it runs.
      const candidates = node.inputs.map((input) => openConvolution(input));
      const open = candidates.filter((conv): conv is Node => conv !== undefined && conv.inputs.length < 4);
      const conv = open.toSorted((a, b) => places.get(b)! - places.get(a)!)[0];
      if (conv !== undefined) {
        const [x, w, bias] = conv.inputs as [string, string, string?];
        const summand = node.inputs[node.inputs[0] === conv.outputs[0] ? 1 : 0]!;
        remove(conv);
        put({ ...conv, inputs: [x, w, bias ?? '', summand], outputs: node.outputs });
        continue;
      }
    }
    const activation = activationOf(graph, node);
    const conv = activation === undefined ? undefined : openConvolution(node.inputs[0]!);
    if (conv === undefined) {
      put(node);
      continue;
    }
    remove(conv);
    put({ ...conv, outputs: node.outputs, attributes: { ...conv.attributes, ...activation } });
  }
  return { ...graph, nodes: nodes.filter((node) => node !== undefined) };
}

function sameShapes(graph: Graph, node: Node): boolean {
  const [a, b] = node.inputs.map((input) => graph.types.get(input)?.shape?.join());
  return a !== undefined && a === b && node.inputs[0] !== node.inputs[1];
}

/** The attributes by which the convolution does `node`, if it can. */
function activationOf(graph: Graph, node: Node): Attributes | undefined {
  const limit = (input: number, open: number): number | undefined => {
    const name = node.inputs[input];
    if (name === undefined || name === '') return open;
    const value = graph.initializers.get(name);
    return value === undefined ? undefined : toNumbers(value)[0];
  };
  switch (node.opType) {
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
      return { activation: string(node.opType) };
    case 'LeakyRelu':
      return { activation: string('LeakyRelu'), activation_params: floats([attribute(node, 'alpha', 'float', 0.01)]) };
    case 'HardSigmoid': {
      const parameters = [attribute(node, 'alpha', 'float', 0.2), attribute(node, 'beta', 'float', 0.5)];
      return { activation: string('HardSigmoid'), activation_params: floats(parameters) };
    }
    case 'Clip': {
      const [min, max] = [limit(1, -MAX_FLOAT), limit(2, MAX_FLOAT)];
      if (min === undefined || max === undefined) return undefined;
      return { activation: string('Clip'), activation_params: floats([min, max]) };
    }
    default:
      return undefined;
  }
}

const MAX_FLOAT = 3.4028234663852886e38;
