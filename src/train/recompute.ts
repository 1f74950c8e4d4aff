import { int64 } from '../core/tensor.ts';
import { dataTypeCode } from '../onnx/data-types.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { ONNX_DOMAIN, type Graph, type Node, type TensorType } from '../onnx/graph.ts';
import { valueBytes } from './value-bytes.ts';

/**
 * Memory for time: of the values that forward makes, only those at the ends of every k-th block are kept until
 * backward comes; what lies between is computed again from them. Chen et al. 2016 (arXiv:1604.06174), known as
 * gradient checkpointing.
 */

export interface RecomputeOptions {
  /** The end of every k-th block is kept; at least 1. */
  readonly every: number;
  /** The input that makes values large: what does not depend on it is not computed again. */
  readonly images: string;
  readonly loss: string;
  /** An input that every gradient depends on, and nothing before the loss. */
  readonly lossScale: string;
}

/** Products with weights: a block holds at least one. */
const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'FusedConv', 'Gemm', 'MatMul', 'FusedMatMul']);
/** A block's end is at most so many times as large as either of the next two places where one could be. */
const BULGE = 2;
/** Values so many times smaller than the largest of their segment are kept: they cost next to nothing. */
const NEGLIGIBLE = 64;

/**
 * The graph of forward and backward, with copies of forward nodes for backward to read. They compute the same values
 * from the same operands, so results do not change by a bit. Nodes come in the order in which they are needed.
 * @throws RangeError unless `every` is a positive integer.
 */
export function withRecomputation(graph: Graph, options: RecomputeOptions): Graph {
  const { every } = options;
  if (!Number.isSafeInteger(every) || every < 1)
    throw new RangeError(`Recomputation keeps the end of every k-th block for a positive integer k, got ${every}.`);
  const forward = forwardNodes(graph, options);
  const ends = blockEnds(graph, forward, options.images).filter((_, i) => (i + 1) % every === 0);
  const copies = new Copies(graph, options.lossScale);
  let [first, kept] = [0, options.images];
  for (const { last, value } of ends) {
    copies.addSegment(forward.slice(first, last + 1), kept, value);
    [first, kept] = [last + 1, value];
  }
  return copies.graph(new Set(forward));
}

/** What the loss is made of and images go into, in the order of the graph. */
function forwardNodes(graph: Graph, { images, loss }: RecomputeOptions): Node[] {
  const ofImages = dependents(graph, images);
  const needed = new Set([loss]);
  const forward = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return ofImages.has(node);
  });
  return forward.toReversed();
}

/** All nodes that `value` goes into, directly or not. */
function dependents(graph: Graph, value: string): Set<Node> {
  const reached = new Set([value]);
  const nodes = new Set<Node>();
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => reached.has(input))) continue;
    nodes.add(node);
    for (const output of node.outputs) if (output !== '') reached.add(output);
  }
  return nodes;
}

interface BlockEnd {
  readonly value: string;
  /** Its place among the forward nodes: those up to here are all that it needs. */
  readonly last: number;
}

/**
 * Where a network is cut: at values that everything behind them reads through, with weights in between, and not
 * at the wide inside of a block.
 */
function blockEnds(graph: Graph, forward: readonly Node[], images: string): BlockEnd[] {
  const lastReader = new Map<string, number>();
  for (const [i, node] of forward.entries()) for (const input of node.inputs) lastReader.set(input, i);
  const ofForward = new Set(forward.flatMap((node) => node.outputs));
  // A batch norm's scale may be a convolution too: made of the images themselves, or one number a channel.
  const isWeighted = (node: Node): boolean =>
    WEIGHTED.has(node.opType) &&
    node.inputs.slice(0, 2).some((input) => input !== images && !ofForward.has(input)) &&
    graph.types
      .get(node.inputs[1]!)
      ?.shape?.slice(1)
      .some((side) => side !== 1) === true;

  const live = new Set<string>();
  const cuts: (BlockEnd & { readonly weightedSoFar: number })[] = [];
  let weightedSoFar = 0;
  for (const [i, node] of forward.entries()) {
    for (const input of node.inputs) if (lastReader.get(input) === i) live.delete(input);
    for (const output of node.outputs) if (lastReader.has(output)) live.add(output);
    if (isWeighted(node)) weightedSoFar++;
    const [value] = live;
    const readsImages = (lastReader.get(images) ?? -1) > i;
    if (live.size === 1 && !readsImages) cuts.push({ value: value!, last: i, weightedSoFar });
  }
  return cuts.filter((cut, i) => {
    const [next, second = next] = cuts.slice(i + 1, i + 3);
    if (next === undefined || next.weightedSoFar === cut.weightedSoFar) return false;
    const ahead = Math.min(valueBytes(graph.types.get(next.value)), valueBytes(graph.types.get(second!.value)));
    return valueBytes(graph.types.get(cut.value)) <= BULGE * ahead;
  });
}

/** Copies of segments, put where backward needs them. */
class Copies {
  readonly #graph: Graph;
  /** Where names are found for what is new. */
  readonly #names: GraphBuilder;
  readonly #nodes: Node[] = [];
  readonly #types = new Map<string, TensorType>();
  /** Value -> its copy, which all but forward nodes read. */
  readonly #renamed = new Map<string, string>();
  readonly #ofScale: ReadonlySet<Node>;
  /** Values that depend on the scale of the loss. */
  readonly #gradients: ReadonlySet<string>;

  constructor(graph: Graph, lossScale: string) {
    this.#graph = graph;
    this.#names = new GraphBuilder(graph.name);
    this.#names.reserve([...graph.types.keys(), ...graph.initializers.keys(), ...graph.nodes.map(({ name }) => name)]);
    this.#ofScale = dependents(graph, lossScale);
    this.#gradients = new Set([lossScale, ...[...this.#ofScale].flatMap((node) => node.outputs)]);
  }

  /** Has the values between `kept` and `end` computed again for backward. */
  addSegment(nodes: readonly Node[], kept: string, end: string): void {
    const makers = new Map<string, Node>();
    for (const node of nodes) for (const output of node.outputs) if (output !== '') makers.set(output, node);
    makers.delete(end);
    const largest = Math.max(0, ...[...makers.keys()].map((name) => valueBytes(this.#graph.types.get(name))));
    const isLarge = (name: string): boolean =>
      makers.has(name) && valueBytes(this.#graph.types.get(name)) * NEGLIGIBLE > largest;
    const { wanted, gate } = this.#readers(new Set(nodes), isLarge);
    if (gate === undefined) return;
    const start = this.#gated(kept, gate);
    const copied = new Map([[kept, start]]);
    const copy = (name: string): string => {
      const known = copied.get(name);
      if (known !== undefined) return known;
      if (!isLarge(name)) return name;
      const node = makers.get(name)!;
      const inputs = node.inputs.map(copy);
      const outputs = node.outputs.map((output) => (output === '' ? '' : this.#copyName(output)));
      this.#nodes.push({ ...node, name: `${node.name}/again`, inputs, outputs });
      for (const [i, output] of node.outputs.entries()) if (output !== '') copied.set(output, outputs[i]!);
      return copied.get(name)!;
    };
    for (const name of wanted) this.#renamed.set(name, copy(name));
  }

  /** The graph with all copies; each node after what it reads, and copies as late as they can be. */
  graph(forward: ReadonlySet<Node>): Graph {
    const rewired = this.#graph.nodes.map((node) =>
      forward.has(node) ? node : { ...node, inputs: node.inputs.map((name) => this.#renamed.get(name) ?? name) },
    );
    const makers = new Map<string, Node>();
    for (const node of [...rewired, ...this.#nodes])
      for (const output of node.outputs) if (output !== '') makers.set(output, node);
    const nodes = new Set<Node>();
    const add = (node: Node): void => {
      if (nodes.has(node)) return;
      for (const input of node.inputs) {
        const maker = makers.get(input);
        if (maker !== undefined) add(maker);
      }
      nodes.add(node);
    };
    for (const node of rewired) add(node);
    const { initializers } = this.#names.build();
    return {
      ...this.#graph,
      nodes: [...nodes],
      initializers: new Map([...this.#graph.initializers, ...initializers]),
      types: new Map([...this.#graph.types, ...this.#types]),
    };
  }

  /** What backward reads of a segment, and a gradient that comes from behind it. */
  #readers(
    segment: ReadonlySet<Node>,
    isLarge: (name: string) => boolean,
  ): { wanted: Set<string>; gate: string | undefined } {
    const wanted = new Set<string>();
    const waiting = new Set<string>();
    let gate: string | undefined;
    for (const node of this.#graph.nodes) {
      if (segment.has(node)) continue;
      const read = node.inputs.filter(isLarge);
      for (const name of read) wanted.add(name);
      if (read.length === 0 && !node.inputs.some((name) => waiting.has(name))) continue;
      // The first gradient made with the segment: those it is made of do not wait for it.
      if (this.#ofScale.has(node)) gate ??= node.inputs.find((name) => this.#gradients.has(name) && !waiting.has(name));
      for (const output of node.outputs) waiting.add(output);
    }
    return { wanted, gate };
  }

  /**
   * The value as it is, but only once `gate` is there: else the engine would compute the copies at once, or find
   * that they equal what they copy. A Reshape moves nothing, and its shape waits.
   */
  #gated(value: string, gate: string): string {
    const b = this.#names;
    const [zero, one] = [b.int([0]), b.int([1])];
    const row = this.#add('Reshape', [gate, b.int([-1])], `${value}/gate_row`);
    const first = this.#add('Slice', [row, zero, one, zero], `${value}/gate_first`);
    // Nothing is less than itself, NaN neither.
    const less = this.#add('Less', [first, first], `${value}/gate_less`);
    const none = this.#add('Cast', [less], `${value}/gate_zero`, {
      to: { kind: 'int', value: dataTypeCode('int64') },
    });
    const type = this.#graph.types.get(value)!;
    const shape = this.#add('Add', [b.constant(int64(type.shape as number[])), none], `${value}/gate_shape`);
    const result = this.#add('Reshape', [value, shape], `${value}/kept`);
    this.#types.set(result, type);
    return result;
  }

  #add(opType: string, inputs: readonly string[], base: string, attributes: Node['attributes'] = {}): string {
    const output = this.#fresh(base);
    this.#nodes.push({ name: output, opType, domain: ONNX_DOMAIN, inputs: [...inputs], outputs: [output], attributes });
    return output;
  }

  #copyName(value: string): string {
    const name = this.#fresh(`${value}/again`);
    const type = this.#graph.types.get(value);
    if (type !== undefined) this.#types.set(name, type);
    return name;
  }

  #fresh(base: string): string {
    const name = this.#names.uniqueName(base);
    this.#names.reserve([name]);
    return name;
  }
}
