import { isFloating } from './data-types.ts';
import type { Graph, Node } from './graph.ts';

const INTEGER_OPS = /^(QLinear|QGemm$|MatMulInteger|ConvInteger|DynamicQuantize|QAttention|MatMulNBits)/;

/**
 * Why a model can't be trained as it is, and what to do: half-precision parameters, quantized
 * weights or activations, no parameters at all. Undefined where nothing stands against it; whether
 * each operator has a gradient is for `autodiff` to say.
 */
export function whyUntrainable(graph: Graph): string | undefined {
  return quantized(graph) ?? halfPrecision(graph) ?? withoutParameters(graph);
}

function quantized(graph: Graph): string | undefined {
  const integer = graph.nodes.find((node) => INTEGER_OPS.test(node.opType));
  if (integer !== undefined)
    return `The model computes in integers ("${integer.name}" is a ${integer.opType}), which have no gradients. Train the float32 model it was made from and quantize the result.`;
  const stored = graph.nodes.find((node) => node.opType === 'DequantizeLinear' && isStored(graph, node));
  if (stored !== undefined) {
    const { dtype } = graph.initializers.get(stored.inputs[0]!)!;
    return `The model's weights are stored as ${dtype} ("${stored.inputs[0]}"), and a small step of training would be rounded away. Train the float32 model it was made from and quantize the result.`;
  }
  const rounding = graph.nodes.find((node) => node.opType === 'QuantizeLinear');
  if (rounding === undefined) return undefined;
  return `The model rounds its activations to integers ("${rounding.name}"), which has no gradient. Train the float32 model it was made from and quantize the result.`;
}

function isStored(graph: Graph, node: Node): boolean {
  return graph.initializers.has(node.inputs[0]!);
}

function halfPrecision(graph: Graph): string | undefined {
  for (const [name, { dtype, shape }] of graph.initializers)
    if ((dtype === 'float16' || dtype === 'bfloat16') && shape.length > 0)
      return `The model's parameters are ${dtype} ("${name}"), too coarse for the small steps of training. Train the float32 model it was made from and export the result as ${dtype}.`;
  return undefined;
}

function withoutParameters(graph: Graph): string | undefined {
  for (const { dtype, shape } of graph.initializers.values())
    if (isFloating(dtype) && shape.length > 0) return undefined;
  return 'The model has no parameters: no initializer of a floating type with at least one axis.';
}
