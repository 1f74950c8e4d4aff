import type { Tensor } from '../../src/core/tensor.ts';
import { describeNode, type Graph, type Node } from '../../src/onnx/graph.ts';
import { activations } from './ops/activations.ts';
import { elementwise } from './ops/elementwise.ts';
import { gradients } from './ops/gradients.ts';
import { indexing } from './ops/indexing.ts';
import { normalization } from './ops/normalization.ts';
import { products } from './ops/products.ts';
import { rearranging } from './ops/rearranging.ts';
import { reductions } from './ops/reductions.ts';
import { resampling } from './ops/resampling.ts';
import { windows } from './ops/windows.ts';
import { fromTensor, toTensor, type Value } from './value.ts';

/** Computes a node's outputs from its inputs (undefined: absent). */
export type Kernel = (inputs: readonly (Value | undefined)[], node: Node) => readonly Value[];

const kernels: Readonly<Record<string, Kernel>> = {
  ...activations,
  ...elementwise,
  ...gradients,
  ...indexing,
  ...normalization,
  ...products,
  ...rearranging,
  ...reductions,
  ...resampling,
  ...windows,
};

/**
 * Runs a graph in float64, op by op, with no engine: the witness for gradients and lowerings.
 * Knows the abstract gradient ops too. `options.outputs` asks for values in between.
 */
export function evaluate(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  options: { readonly outputs?: readonly string[] } = {},
): Map<string, Tensor> {
  const values = new Map<string, Value>();
  for (const [name, tensor] of graph.initializers) values.set(name, fromTensor(tensor));
  for (const { name } of graph.inputs) {
    const fed = feeds.get(name);
    if (fed === undefined) throw new RangeError(`Input "${name}" of graph "${graph.name}" is not fed.`);
    values.set(name, fromTensor(fed));
  }
  for (const node of graph.nodes) {
    const kernel = kernels[node.opType];
    if (kernel === undefined) throw new RangeError(`The reference interpreter has no ${describeNode(node)}.`);
    const inputs = node.inputs.map((input) => (input === '' ? undefined : required(values, input)));
    const outputs = run(kernel, inputs, node);
    for (const [i, output] of node.outputs.entries()) {
      if (output === '') continue;
      const value = outputs[i];
      if (value === undefined)
        throw new RangeError(`The reference interpreter lacks output ${i} of ${describeNode(node)}.`);
      values.set(output, value);
    }
  }
  const names = options.outputs ?? graph.outputs.map((output) => output.name);
  return new Map(names.map((name) => [name, toTensor(required(values, name))]));
}

function run(kernel: Kernel, inputs: readonly (Value | undefined)[], node: Node): readonly Value[] {
  try {
    return kernel(inputs, node);
  } catch (error) {
    if (error instanceof Error) error.message = `${describeNode(node)}: ${error.message}`;
    throw error;
  }
}

function required(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw new RangeError(`Nothing makes "${name}".`);
  return value;
}
