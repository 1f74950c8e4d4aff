import { toNumbers, type Tensor } from '../core/tensor.ts';
import { mergeDeclared } from './declared-types.ts';
import {
  describeNode,
  ONNX_DOMAIN,
  type Dim,
  type Graph,
  type Node,
  type Shape,
  type TensorType,
  type ValueInfo,
} from './graph.ts';
import { productOf } from './shapes/dimensions.ts';
import { sliceRange } from './shapes/indexing.ts';
import { inferRule } from './shapes/index.ts';
import { shapeRange } from './shapes/sources.ts';
import { firstFreeUnknown, unknownDim } from './unknown-dims.ts';

/** The longest integer vector whose sides are tracked: shapes are short. */
const LONGEST_SHAPE = 16;

/**
 * Infers types node by node, and follows sides through the chains that compute shapes: the second
 * entry of `Shape(x)` of [N, 3, H, W] is 3, whatever N is.
 */
export class TypeInference {
  readonly types = new Map<string, TensorType>();
  /** Values known before the run. */
  readonly constants = new Map<string, Tensor>();
  readonly #sides = new Map<string, Shape>();
  readonly #fallback: ReadonlyMap<string, TensorType>;
  #unknown: number;

  /** `fallback` has the types of values whose op has no rule. */
  constructor(graph: Graph, fallback: ReadonlyMap<string, TensorType> = graph.types) {
    this.#fallback = fallback;
    this.#unknown = firstFreeUnknown([...fallback.values(), ...graph.inputs.map((input) => input.type)]);
    for (const { name, type } of graph.inputs) this.types.set(name, type);
    for (const [name, value] of graph.initializers) this.addConstant(name, value);
  }

  addConstant(name: string, value: Tensor): void {
    this.constants.set(name, value);
    this.types.set(name, { dtype: value.dtype, shape: value.shape });
  }

  /** The sides that an integer value of rank 0 or 1 holds, where they are known at least by name. */
  sidesOf(name: string): Shape | undefined {
    const known = this.#sides.get(name);
    if (known !== undefined) return known;
    const value = this.constants.get(name);
    if (value === undefined || (value.dtype !== 'int64' && value.dtype !== 'int32')) return undefined;
    return value.shape.length <= 1 && value.data.length <= LONGEST_SHAPE ? toNumbers(value) : undefined;
  }

  /** Infers and records the types of the node's outputs. @throws TypeError, RangeError naming the node. */
  visit(node: Node): readonly (TensorType | undefined)[] {
    const types = this.#infer(node);
    for (const [i, output] of node.outputs.entries()) {
      const type = types[i] ?? this.#fallback.get(output);
      if (output !== '' && type !== undefined) this.types.set(output, type);
    }
    const sides = sidesMade(node, this);
    if (sides !== undefined) this.#sides.set(node.outputs[0]!, sides);
    return types;
  }

  unknownDim(): Dim {
    return unknownDim(this.#unknown++);
  }

  #infer(node: Node): readonly (TensorType | undefined)[] {
    const rule = inferRule(node.domain, node.opType);
    if (rule === undefined) return [];
    try {
      return rule({
        node,
        inputs: node.inputs.map((name) => (name === '' ? undefined : this.types.get(name))),
        constant: (index) => this.constants.get(node.inputs[index] ?? ''),
        unknownDim: () => this.unknownDim(),
        sides: (index) => this.sidesOf(node.inputs[index] ?? ''),
      });
    } catch (error) {
      if (error instanceof Error) error.message = `${describeNode(node)}: ${error.message}`;
      throw error;
    }
  }
}

/** The graph with the types of all values inferred anew from its inputs and initializers. */
export function inferTypes(graph: Graph): Graph {
  const inference = new TypeInference(graph);
  for (const node of graph.nodes) inference.visit(node);
  return { ...graph, types: inference.types, outputs: outputTypes(graph, inference.types) };
}

/** The graph's outputs with what is known of them now; names of sides that only the graph knew stay. */
export function outputTypes(graph: Graph, types: ReadonlyMap<string, TensorType>): ValueInfo[] {
  return graph.outputs.map(({ name, type }) => ({ name, type: mergeDeclared(name, types.get(name), type) }));
}

function sidesMade(node: Node, inference: TypeInference): Shape | undefined {
  if (node.domain !== ONNX_DOMAIN) return undefined;
  return SIDES[node.opType]?.(node, inference);
}

const passed: SideRule = (node, inference) => inference.sidesOf(node.inputs[0]!);

type SideRule = (node: Node, inference: TypeInference) => Shape | undefined;

const SIDES: Readonly<Record<string, SideRule>> = {
  Shape: (node, inference) => {
    const shape = inference.types.get(node.inputs[0]!)?.shape;
    return shape && shapeRange({ node }, shape.length).map((axis) => shape[axis]!);
  },
  Cast: passed,
  Identity: passed,
  // Between a scalar and a vector of one: the list of sides is the same.
  Squeeze: passed,
  Unsqueeze: (node, inference) =>
    inference.types.get(node.outputs[0]!)?.shape?.length === 1 ? passed(node, inference) : undefined,
  Reshape: (node, inference) =>
    (inference.types.get(node.outputs[0]!)?.shape?.length ?? 2) <= 1 ? passed(node, inference) : undefined,
  Gather: (node, inference) => {
    const from = inference.sidesOf(node.inputs[0]!);
    const indices = inference.sidesOf(node.inputs[1]!);
    if (from === undefined || !indices?.every((index) => typeof index === 'number')) return undefined;
    return indices.map((index) => from.at(index)!);
  },
  Concat: (node, inference) => {
    const parts = node.inputs.map((input) => inference.sidesOf(input));
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  },
  Slice: (node, inference) => {
    const from = inference.sidesOf(node.inputs[0]!);
    const [starts, ends, steps] = [1, 2, 4].map((i) => inference.constants.get(node.inputs[i] ?? ''));
    if (from === undefined || starts === undefined || ends === undefined) return undefined;
    const step = steps === undefined ? 1 : toNumbers(steps)[0]!;
    const { first, length } = sliceRange(from.length, toNumbers(starts)[0]!, toNumbers(ends)[0]!, step);
    return Array.from({ length }, (_, i) => from[first + i * step]!);
  },
  Size: (node, inference) => {
    const shape = inference.types.get(node.inputs[0]!)?.shape;
    return shape && [productOf(shape, () => inference.unknownDim())];
  },
};
