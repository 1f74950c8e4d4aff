import { consumers, type Graph, type Node } from '../onnx/graph.ts';
import { constantValues } from './subgraph.ts';

export interface ParameterGroup {
  readonly name: string;
  /** `norm`: scale or shift of a normalisation, or another factor a channel. Weight decay is for `weight` alone. */
  readonly kind: 'weight' | 'bias' | 'norm';
  /** The stage that reads it, 0 nearest the input. */
  readonly stage: number;
  /** The stage over the last stage: 0 nearest the input, 1 at the head. */
  readonly depth: number;
}

/**
 * Sorts parameters by what they are and by how deep in the network they act, for weight decay,
 * layer-wise learning rates and gradual unfreezing. A stage lies between two values through which
 * everything flows: a residual block, or a layer where there are no branches.
 * @param trainable names of initializers, kept in order
 */
export function parameterGroups(graph: Graph, trainable: Iterable<string>): ParameterGroup[] {
  const names = [...trainable];
  const constant = constantValues(graph);
  const readers = consumers(graph);
  const stages = nodeStages(graph, constant);
  const found = names.map((name) => {
    const uses = usesOf(name, constant, readers);
    if (uses.length === 0) throw new RangeError(`No node reads the parameter "${name}" of graph "${graph.name}".`);
    return { name, kind: kindOf(uses), stage: Math.min(...uses.map(({ node }) => stages.get(node) ?? 0)) };
  });
  const last = Math.max(0, ...stages.values());
  return found.map((group) => ({ ...group, depth: last === 0 ? 1 : group.stage / last }));
}

interface Use {
  /** Name of a node that also reads an activation. */
  readonly node: string;
  readonly opType: string;
  readonly input: number;
}

/** The nodes where a parameter meets an activation, also through a transposed or reshaped copy. */
function usesOf(name: string, constant: ReadonlySet<string>, readers: ReturnType<typeof consumers>): Use[] {
  const uses: Use[] = [];
  const pending = [name];
  for (let value = pending.pop(); value !== undefined; value = pending.pop())
    for (const node of readers.get(value) ?? []) {
      const inner = node.outputs.filter((output) => constant.has(output));
      if (inner.length > 0) pending.push(...inner);
      else uses.push({ node: node.name, opType: node.opType, input: node.inputs.indexOf(value) });
    }
  return uses;
}

/** Whether input `index` of the op is the weight of a product. */
function isProductWeight(opType: string, index: number): boolean {
  if (opType === 'Conv' || opType === 'ConvTranspose') return index === 1;
  if (opType === 'Gather') return index === 0;
  return ['Gemm', 'MatMul', 'FusedMatMul', 'Einsum'].includes(opType) && index < 2;
}

function kindOf(uses: readonly Use[]): ParameterGroup['kind'] {
  if (uses.some(({ opType, input }) => isProductWeight(opType, input))) return 'weight';
  if (uses.some(({ opType }) => opType.endsWith('Normalization') || opType === 'Mul' || opType === 'Div'))
    return 'norm';
  return 'bias';
}

/** Whether the node multiplies what it reads by a weight: a convolution, a linear layer. */
export function isWeighted(node: Node, constant: ReadonlySet<string>): boolean {
  return node.inputs.some((name, i) => constant.has(name) && isProductWeight(node.opType, i));
}

/** The nodes that read an activation, in the graph's order, and which they read; sizes are no activations. */
export function activationFlow(graph: Graph, constant: ReadonlySet<string>): Map<Node, readonly string[]> {
  const sizes = new Set<string>();
  const flow = new Map<Node, readonly string[]>();
  for (const node of graph.nodes) {
    const names = [...new Set(node.inputs)].filter((name) => name !== '' && !constant.has(name) && !sizes.has(name));
    if (node.opType !== 'Shape' && node.opType !== 'Size' && names.length > 0) flow.set(node, names);
    else for (const output of node.outputs) sizes.add(output);
  }
  return flow;
}

/** The stage of every node that reads an activation. */
function nodeStages(graph: Graph, constant: ReadonlySet<string>): Map<string, number> {
  const flow = activationFlow(graph, constant);
  const readsLeft = new Map<string, number>();
  for (const names of flow.values()) for (const name of names) readsLeft.set(name, (readsLeft.get(name) ?? 0) + 1);

  // Values that a later node still reads. Where one is left, everything flows through it: a segment ends.
  const alive = new Set(graph.inputs.map((input) => input.name).filter((name) => readsLeft.has(name)));
  const segments: { nodes: string[]; weighted: boolean }[] = [];
  let segment = { nodes: [] as string[], weighted: false };
  for (const [node, names] of flow) {
    segment.nodes.push(node.name);
    segment.weighted ||= isWeighted(node, constant);
    for (const name of names) {
      const left = readsLeft.get(name)! - 1;
      readsLeft.set(name, left);
      if (left === 0) alive.delete(name);
    }
    for (const output of node.outputs) if (readsLeft.has(output)) alive.add(output);
    if (alive.size > 1) continue;
    segments.push(segment);
    segment = { nodes: [], weighted: false };
  }
  segments.push(segment);

  // A segment without weights (an activation, a batch norm) goes with the one before it.
  const stages = new Map<string, number>();
  let stage = -1;
  for (const { nodes, weighted } of segments) {
    if (weighted) stage++;
    for (const name of nodes) stages.set(name, Math.max(stage, 0));
  }
  return stages;
}
