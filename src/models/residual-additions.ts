import { producers, type Dim, type Graph, type Node, type Shape } from '../onnx/graph.ts';
import { isUnknownDim } from '../onnx/unknown-dims.ts';
import { activationFlow, isWeighted } from './parameter-groups.ts';
import { constantValues } from './subgraph.ts';

/** The sum at the end of a residual block. */
export interface ResidualAddition {
  /** An Add, or a Sum of two. */
  readonly node: Node;
  /** Positions among its inputs. */
  readonly branch: number;
  readonly shortcut: number;
}

/**
 * Finds the residual additions of a network, in its order: sums of two activations [N, ...] of one shape, of which one,
 * the shortcut, is a value from before (identity) or a linear function of it (projection, pooling, padding), and
 * the other, the branch, comes from that value alone and through more layers with weights. Sums with a
 * bias or positions, squeeze-and-excitation, activations written as sums (GELU) and averages of two heads are none.
 */
export function residualAdditions(graph: Graph): ResidualAddition[] {
  const network = new Network(graph);
  const found = new Map<Node, ResidualAddition>();
  for (const [node, read] of network.flow) {
    if (!(node.opType === 'Add' || node.opType === 'Sum') || node.inputs.length !== 2 || read.length !== 2) continue;
    if (!network.isOneShapeOfBatch(node)) continue;
    const both = [0, 1].map((shortcut) => ({ node, shortcut, branch: 1 - shortcut }));
    // At most one holds: of two ways from one value, one has more layers.
    const addition = both.find((candidate) => network.isResidual(candidate, found));
    if (addition !== undefined) found.set(node, addition);
  }
  return [...found.values()];
}

class Network {
  /** Nodes on the way from input to output, and what they read of it. */
  readonly flow: ReadonlyMap<Node, readonly string[]>;
  readonly #graph: Graph;
  readonly #makers: ReadonlyMap<string, Node>;
  readonly #constant: ReadonlySet<string>;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#makers = producers(graph);
    this.#constant = constantValues(graph);
    this.flow = activationFlow(graph, this.#constant);
  }

  /** As far as is known: sides can be open before sizes are folded. */
  isOneShapeOfBatch(node: Node): boolean {
    const [a, b] = node.inputs.map((name) => this.#shape(name));
    const batch = this.#graph.inputs[0]?.type.shape?.[0];
    if (batch === undefined || a === undefined || a.length < 2 || a.length !== b?.length) return false;
    const couldBe = (one: Dim, other: Dim): boolean => one === other || isUnknownDim(one) || isUnknownDim(other);
    return [a, b].every((shape) => couldBe(shape[0]!, batch)) && a.every((side, i) => couldBe(side, b[i]!));
  }

  /** Goes back along the shortcut to where the branch began, and compares. */
  isResidual({ node, shortcut, branch }: ResidualAddition, found: ReadonlyMap<Node, ResidualAddition>): boolean {
    let value = node.inputs[shortcut]!;
    for (let layers = 0; ;) {
      const between = this.#layersBetween(value, node.inputs[branch]!);
      if (between !== undefined) return between > layers;
      const maker = this.#makers.get(value);
      if (maker === undefined) return false;
      const block = found.get(maker);
      if (block === undefined && !this.#isLinear(maker)) return false;
      if (isWeighted(maker, this.#constant)) layers++;
      value = block === undefined ? this.flow.get(maker)![0]! : maker.inputs[block.shortcut]!;
    }
  }

  /** Layers with weights between two values; undefined where not all that the later one is made of comes through the earlier. */
  #layersBetween(from: string, to: string): number | undefined {
    let layers = 0;
    const seen = new Set([from]);
    const pending = [to];
    for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
      if (seen.has(value)) continue;
      seen.add(value);
      const maker = this.#makers.get(value);
      if (maker === undefined) return undefined;
      if (isWeighted(maker, this.#constant)) layers++;
      pending.push(...this.flow.get(maker)!);
    }
    return layers;
  }

  /** Whether a projection may hold the node. A part of the channels, as branches inside a block take it, is none. */
  #isLinear(node: Node): boolean {
    const read = this.flow.get(node);
    if (read?.length !== 1 || !LINEAR.has(node.opType)) return false;
    return node.opType !== 'Slice' || this.#shape(read[0]!)?.[1] === this.#shape(node.outputs[0]!)?.[1];
  }

  #shape(value: string): Shape | undefined {
    return this.#graph.types.get(value)?.shape;
  }
}

/** Of one activation; with constants, so are sums and products. Of images, a maximum of neighbours counts too. */
const LINEAR: ReadonlySet<string> = new Set([
  'Add',
  'AveragePool',
  'BatchNormalization',
  'Cast',
  'Concat',
  'Conv',
  'Div',
  'Dropout',
  'Gemm',
  'Identity',
  'MatMul',
  'MaxPool',
  'Mul',
  'Pad',
  'Slice',
  'Sub',
]);
