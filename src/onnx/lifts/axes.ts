import { attribute, int } from '../graph.ts';
import { without, type Lift } from './lift.ts';

/** Operators whose axes or sizes moved from an attribute to an input. */

/** Opset 13 for ReduceSum, Squeeze, Unsqueeze; opset 18 for the other reductions. */
export function axesToInput(since: number): Lift {
  return (node, opset, builder) => {
    if (opset >= since) return node;
    const axes = attribute(node, 'axes', 'ints', []);
    const attributes = without(node.attributes, 'axes');
    if (axes.length === 0) return { ...node, attributes };
    return { ...node, inputs: [node.inputs[0]!, builder.int(axes)], attributes };
  };
}

/** Opset 13: `split` became an input. Opset 18: equal parts are asked for by `num_outputs`. */
export const split: Lift = (node, opset, builder) => {
  if (opset >= 18) return node;
  const sizes = opset < 13 ? attribute(node, 'split', 'ints', []) : [];
  const attributes = without(node.attributes, 'split');
  if (sizes.length > 0) return { ...node, inputs: [node.inputs[0]!, builder.int(sizes)], attributes };
  if ((node.inputs[1] ?? '') !== '') return node;
  return { ...node, attributes: { ...attributes, num_outputs: int(node.outputs.length) } };
};

/** Opset 20: `axis` became an input, and its default changed from 1. */
export const dft: Lift = (node, opset, builder) => {
  if (opset >= 20) return node;
  const axis = builder.int(attribute(node, 'axis', 'int', 1));
  return {
    ...node,
    inputs: [node.inputs[0]!, node.inputs[1] ?? '', axis],
    attributes: without(node.attributes, 'axis'),
  };
};
