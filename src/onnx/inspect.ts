import { sizeOf } from '../core/tensor.ts';
import { isFloating } from './data-types.ts';
import { attribute, MICROSOFT_DOMAIN, NCHWC_DOMAIN, ONNX_DOMAIN, type Graph, type Node, type Shape } from './graph.ts';
import { parseEinsum } from './shapes/products.ts';
import { broadcastShapes } from './shapes/dimensions.ts';

/** What a node costs. */
export interface NodeSummary {
  readonly node: Node;
  /** Shape of the first output, where it is known. */
  readonly output: Shape | undefined;
  /** Elements of the weights and biases the node reads first; those an earlier node has read are not counted again. */
  readonly parameters: number;
  /** Products accumulated in convolutions and matrix products; undefined where a shape is not known. */
  readonly multiplyAdds: number | undefined;
}

export interface GraphSummary {
  readonly nodes: readonly NodeSummary[];
  /** As PyTorch counts them: without running statistics, and without scales and zero points of quantized weights. */
  readonly parameters: number;
  /** Undefined where a shape is not known: specialize the graph first. */
  readonly multiplyAdds: number | undefined;
}

/**
 * Counts parameters and multiply-adds node by node, for the sizes the graph is specialized to.
 * Element-wise work, normalisation and pooling count nothing, as is usual.
 */
export function summarize(graph: Graph): GraphSummary {
  const counted = new Set<string>();
  const nodes = graph.nodes.map((node): NodeSummary => {
    const own = parameterNames(graph, node).filter((name) => !counted.has(name));
    for (const name of own) counted.add(name);
    return {
      node,
      output: graph.types.get(node.outputs[0]!)?.shape,
      parameters: own.reduce((sum, name) => sum + sizeOf(graph.initializers.get(name)!.shape), 0),
      multiplyAdds: multiplyAdds(graph, node),
    };
  });
  const known = nodes.every((item) => item.multiplyAdds !== undefined);
  return {
    nodes,
    parameters: nodes.reduce((sum, item) => sum + item.parameters, 0),
    multiplyAdds: known ? nodes.reduce((sum, item) => sum + item.multiplyAdds!, 0) : undefined,
  };
}

/** Inputs by position that are statistics, sizes, bounds or scales, not weights. */
const NOT_WEIGHTS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  ConvInteger: [2, 3],
  DequantizeLinear: [1, 2],
  Dropout: [1, 2],
  MatMulInteger: [2, 3],
  OneHot: [1, 2],
  Pad: [1, 2, 3],
  QLinearConv: [1, 2, 4, 5, 6, 7],
  QLinearMatMul: [1, 2, 4, 5, 6, 7],
  QuantizeLinear: [1, 2],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
};

/** Quantized weights are integers; other integers are indices and sizes. */
const INTEGER_WEIGHTS: ReadonlySet<string> = new Set([
  'ConvInteger',
  'DequantizeLinear',
  'MatMulInteger',
  'QLinearConv',
  'QLinearMatMul',
]);

function parameterNames(graph: Graph, node: Node): string[] {
  const others = NOT_WEIGHTS[node.opType] ?? [];
  const names = node.inputs.filter((name, i) => {
    const value = graph.initializers.get(name);
    if (value === undefined || others.includes(i) || value.shape.length === 0) return false;
    return isFloating(value.dtype) || INTEGER_WEIGHTS.has(node.opType);
  });
  return [...new Set(names)];
}

function multiplyAdds(graph: Graph, node: Node): number | undefined {
  const counter = COUNTERS.get(node.domain)?.[node.opType];
  if (counter === undefined) return 0;
  const shape = (name: string | undefined): number[] | undefined => {
    const found = graph.types.get(name ?? '')?.shape;
    return found?.every((side) => typeof side === 'number') ? (found as number[]) : undefined;
  };
  const inputs = node.inputs.map(shape);
  const output = shape(node.outputs[0]);
  return output === undefined ? undefined : counter(node, inputs, output);
}

type Counter = (node: Node, inputs: readonly (number[] | undefined)[], output: number[]) => number | undefined;

/** Every output element sums over the weight's input channels and kernel. */
const convolution =
  (weight: number): Counter =>
  (_, inputs, output) =>
    inputs[weight] && sizeOf(output) * sizeOf(inputs[weight].slice(1));

/** Every input element goes to the weight's output channels and kernel. */
const transposedConvolution: Counter = (_, [input, weight]) =>
  input && weight && sizeOf(input) * sizeOf(weight.slice(1));

const matmul: Counter = (_, [left], output) => left && sizeOf(output) * left.at(-1)!;

const fusedMatMul: Counter = (node, [left], output) =>
  left && sizeOf(output) * left.at(attribute(node, 'transA', 'int', 0) === 1 ? -2 : -1)!;

const gemm: Counter = (node, [left], output) =>
  left && sizeOf(output) * left[attribute(node, 'transA', 'int', 0) === 1 ? 0 : 1]!;

/** One product for every combination of letters, and one more factor for each further input. */
const einsum: Counter = (node, inputs) => {
  const { terms } = parseEinsum(attribute(node, 'equation', 'string'), inputs.length);
  if (inputs.includes(undefined) || terms.length < 2) return terms.length < 2 ? 0 : undefined;
  const sides = new Map<string, number>();
  let rest: Shape = [];
  for (const [i, term] of terms.entries()) {
    const letters = [...term.replace('...', '')];
    const shape = inputs[i]!;
    const at = term.includes('...') ? term.indexOf('...') : letters.length;
    const extra = shape.length - letters.length;
    rest = broadcastShapes([rest, shape.slice(at, at + extra)], { unknownDim: () => '?' })!;
    for (const [j, letter] of letters.entries())
      sides.set(letter, Math.max(sides.get(letter) ?? 1, shape.toSpliced(at, extra)[j]!));
  }
  return sizeOf([...sides.values(), ...(rest as number[])]) * (terms.length - 1);
};

/** Queries times keys, then weights times values. */
const attention: Counter = (_, [q, k, v], output) => {
  if (q === undefined || k === undefined || v === undefined) return undefined;
  const [queries, keys] = [q.at(-2)!, k.at(-2)!];
  if (q.length === 4) return q[0]! * q[1]! * queries * keys * (q[3]! + v[3]!);
  return q[0]! * queries * keys * (q[2]! + output[2]!);
};

const COUNTERS: ReadonlyMap<string, Readonly<Record<string, Counter>>> = new Map([
  [
    ONNX_DOMAIN,
    {
      Attention: attention,
      Conv: convolution(1),
      ConvInteger: convolution(1),
      ConvTranspose: transposedConvolution,
      DeformConv: convolution(1),
      Einsum: einsum,
      Gemm: gemm,
      MatMul: matmul,
      MatMulInteger: matmul,
      QLinearConv: convolution(3),
      QLinearMatMul: matmul,
    },
  ],
  [
    MICROSOFT_DOMAIN,
    {
      FusedConv: convolution(1),
      FusedGemm: gemm,
      FusedMatMul: fusedMatMul,
      MultiHeadAttention: attention,
      QGemm: gemm,
    },
  ],
  [NCHWC_DOMAIN, { Conv: convolution(1) }],
]);
