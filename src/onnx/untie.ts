import { isFloating } from './data-types.ts';
import { ONNX_DOMAIN, type Graph, type Node } from './graph.ts';

/**
 * Gives each `Identity` of a floating-point initializer a tensor of its own. Exporters write tensors that happen to be equal (scales of 1,
 * biases of 0) once, and keep the other names alive so; trained as one, layers would share what was never meant to be shared.
 */
export function untied(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const isCopy = ({ opType, domain, inputs, outputs: [name] }: Node): boolean => {
    const tensor = opType === 'Identity' && domain === ONNX_DOMAIN ? initializers.get(inputs[0]!) : undefined;
    if (tensor === undefined || name === undefined || outputs.has(name)) return false;
    if (!isFloating(tensor.dtype) || tensor.shape.length === 0) return false;
    initializers.set(name, tensor);
    return true;
  };
  const nodes = graph.nodes.filter((node) => !isCopy(node));
  return nodes.length === graph.nodes.length ? graph : { ...graph, initializers, nodes };
}
