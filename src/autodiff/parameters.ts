import { isFloating } from '../onnx/data-types.ts';
import { consumers, type Graph } from '../onnx/graph.ts';
import { dependence } from './dependence.ts';

/** Inputs that hold sizes, bounds or quantization parameters, never something to train. */
const NOT_PARAMETERS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  DequantizeLinear: [1, 2],
  Pad: [2],
  QuantizeLinear: [1, 2],
  Resize: [1, 2],
};

/**
 * What of a graph can be trained: floating-point initializers of rank 1 or more that reach `target`
 * (the logits or the loss) by a differentiable path, less running statistics, sizes, scales and
 * quantization parameters; in the order of the graph. Call it before `prepare`, which turns running
 * statistics into ordinary arithmetic. Ops that are refused count as differentiable here: a
 * parameter behind one is listed, and `gradient` then names the op.
 * @example
 * trainableParameters(graph, 'logits'); // ['conv1.weight', 'bn1.weight', ...]
 */
export function trainableParameters(graph: Graph, target: string): string[] {
  const readers = consumers(graph);
  const isOther = (name: string): boolean =>
    (readers.get(name) ?? []).some((node) =>
      (NOT_PARAMETERS[node.opType] ?? []).some((index) => node.inputs[index] === name),
    );
  const candidates = [...graph.initializers].flatMap(([name, { dtype, shape }]) =>
    isFloating(dtype) && shape.length >= 1 && !isOther(name) ? [name] : [],
  );
  const { values } = dependence(graph, target, candidates);
  return candidates.filter((name) => values.has(name));
}
