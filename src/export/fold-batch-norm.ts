import { float32, toNumbers, type Tensor } from '../core/tensor.ts';
import { attribute, consumers, producers, type Graph, type Node } from '../onnx/graph.ts';

/**
 * Folds every batch norm in inference mode into the convolution before it, for a model that will only
 * infer: y = s (conv(x, W) + b - m) / sqrt(v + e) + o is conv(x, W s / sqrt(v + e)) with another bias.
 * A batch norm whose convolution has other readers, or weights that are not constants, stays.
 */
export function foldBatchNorm(graph: Graph): Graph {
  const readers = consumers(graph);
  const makers = producers(graph);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node | undefined>();
  for (const norm of graph.nodes) {
    if (norm.opType !== 'BatchNormalization' || norm.domain !== '') continue;
    if (attribute(norm, 'training_mode', 'int', 0) !== 0) continue;
    const conv = makers.get(norm.inputs[0]!);
    if (conv?.opType !== 'Conv' || conv.domain !== '') continue;
    if (outputs.has(conv.outputs[0]!) || readers.get(conv.outputs[0]!)!.length > 1) continue;
    const weight = graph.initializers.get(conv.inputs[1]!);
    const bias = conv.inputs[2] ? graph.initializers.get(conv.inputs[2]) : undefined;
    const statistics = norm.inputs.slice(1).map((name) => graph.initializers.get(name));
    if (weight?.dtype !== 'float32' || (conv.inputs[2] && bias?.dtype !== 'float32')) continue;
    if (statistics.some((value) => value?.dtype !== 'float32')) continue;

    const epsilon = attribute(norm, 'epsilon', 'float', 1e-5);
    const folded = foldedWeights(weight, bias, statistics as Tensor[], epsilon);
    const names = [`${conv.inputs[1]}_folded`, `${conv.outputs[0]}_folded_bias`].map((name) =>
      free(name, graph, initializers),
    );
    initializers.set(names[0]!, folded.weight);
    initializers.set(names[1]!, folded.bias);
    replaced.set(conv, { ...conv, inputs: [conv.inputs[0]!, ...names], outputs: norm.outputs.slice(0, 1) });
    replaced.set(norm, undefined);
  }
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...outputs]);
  const types = new Map(graph.types);
  for (const [name, { dtype, shape }] of initializers) types.set(name, { dtype, shape });
  return { ...graph, nodes, types, initializers: new Map([...initializers].filter(([name]) => read.has(name))) };
}

function foldedWeights(
  weight: Tensor,
  bias: Tensor | undefined,
  [scale, offset, mean, variance]: readonly Tensor[],
  epsilon: number,
): { weight: Tensor; bias: Tensor } {
  const channels = weight.shape[0]!;
  const size = weight.data.length / channels;
  const values = toNumbers(weight);
  const variances = toNumbers(variance!);
  const factor = toNumbers(scale!).map((s, c) => s / Math.sqrt(variances[c]! + epsilon));
  const means = toNumbers(mean!);
  const offsets = toNumbers(offset!);
  const biases = bias === undefined ? means.map(() => 0) : toNumbers(bias);
  return {
    weight: float32(
      values.map((w, i) => w * factor[Math.floor(i / size)]!),
      weight.shape,
    ),
    bias: float32(biases.map((b, c) => (b - means[c]!) * factor[c]! + offsets[c]!)),
  };
}

function free(base: string, graph: Graph, initializers: ReadonlyMap<string, Tensor>): string {
  let name = base;
  for (let i = 1; graph.types.has(name) || initializers.has(name); i++) name = `${base}_${i}`;
  return name;
}
