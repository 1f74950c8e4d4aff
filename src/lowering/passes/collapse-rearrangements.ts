import { int64, type Tensor } from '../../core/tensor.ts';
import { attribute, ints, NCHWC_DOMAIN, ONNX_DOMAIN, type Graph, type Node } from '../../onnx/graph.ts';

/**
 * Chains of Reshape become one, and vanish where the shape comes back; two Transposes in a row become
 * one; a Transpose that only moves sides of 1 becomes a (free) Reshape; an Identity inside the graph and a
 * reorder into blocks right after the one out of them vanish.
 */
export function withoutIdleRearrangements(graph: Graph): Graph {
  return new Collapse(graph).run();
}

class Collapse {
  readonly #graph: Graph;
  readonly #outputs: ReadonlySet<string>;
  readonly #makers = new Map<string, Node>();
  /** Values that are another value. */
  readonly #same = new Map<string, string>();
  readonly #initializers: Map<string, Tensor>;
  readonly #shapeConstants = new Map<string, string>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#outputs = new Set(graph.outputs.map((output) => output.name));
    this.#initializers = new Map(graph.initializers);
  }

  run(): Graph {
    const nodes: Node[] = [];
    for (const original of this.#graph.nodes) {
      const inputs = original.inputs.map((name) => this.#same.get(name) ?? name);
      const node = this.#rewritten({ ...original, inputs });
      if (node === undefined) continue;
      nodes.push(node);
      for (const output of node.outputs) this.#makers.set(output, node);
    }
    return { ...this.#graph, nodes, initializers: this.#initializers };
  }

  /** Undefined where the node's output is a value that is there already. */
  #rewritten(node: Node): Node | undefined {
    if (node.domain === ONNX_DOMAIN && node.opType === 'Identity')
      return this.#vanished(node, node.inputs[0]!) ? undefined : node;
    if (node.domain === ONNX_DOMAIN && node.opType === 'Transpose') return this.#transpose(node);
    if (node.domain === ONNX_DOMAIN && node.opType === 'Reshape') return this.#reshape(node);
    if (node.domain === NCHWC_DOMAIN && node.opType === 'ReorderInput') {
      const before = this.#makers.get(node.inputs[0]!);
      if (
        before?.domain !== NCHWC_DOMAIN ||
        before.opType !== 'ReorderOutput' ||
        isChannelsLast(before) ||
        isChannelsLast(node)
      )
        return node;
      const whole = sameShape(this.#shape(before.inputs[0]!), this.#shape(node.outputs[0]!));
      return whole && this.#vanished(node, before.inputs[0]!) ? undefined : node;
    }
    return node;
  }

  #transpose(node: Node): Node | undefined {
    const perm = attribute(node, 'perm', 'ints', []);
    const before = this.#makers.get(node.inputs[0]!);
    if (before?.domain === ONNX_DOMAIN && before.opType === 'Transpose') {
      const first = attribute(before, 'perm', 'ints', []);
      if (first.length > 0 && first.length === perm.length) {
        const both = perm.map((axis) => first[axis]!);
        if (both.every((axis, i) => axis === i) && this.#vanished(node, before.inputs[0]!)) return undefined;
        return this.#transpose({ ...node, inputs: [before.inputs[0]!], attributes: { perm: ints(both) } });
      }
    }
    const shape = this.#shape(node.inputs[0]!);
    const moved = shape === undefined ? [] : perm.filter((axis) => shape[axis] !== 1);
    const onlyOnes =
      shape !== undefined && perm.length > 0 && moved.every((axis, i) => i === 0 || axis > moved[i - 1]!);
    const target = this.#shape(node.outputs[0]!);
    if (!onlyOnes || target === undefined) return node;
    return this.#reshape(this.#reshapeNode(node, node.inputs[0]!, target));
  }

  #reshape(node: Node): Node | undefined {
    const target = this.#shape(node.outputs[0]!);
    if (target === undefined) return node;
    let source = node.inputs[0]!;
    for (let before = this.#makers.get(source); isReshape(before); before = this.#makers.get(source))
      source = before!.inputs[0]!;
    if (sameShape(this.#shape(source), target) && this.#vanished(node, source)) return undefined;
    return source === node.inputs[0] ? node : this.#reshapeNode(node, source, target);
  }

  #reshapeNode(node: Node, source: string, target: readonly number[]): Node {
    const key = target.join();
    let name = this.#shapeConstants.get(key);
    if (name === undefined) {
      name = `shape_${target.join('x')}`;
      while (this.#graph.types.has(name) || this.#initializers.has(name)) name += '_';
      this.#initializers.set(name, int64(target));
      this.#shapeConstants.set(key, name);
    }
    return { ...node, opType: 'Reshape', inputs: [source, name], attributes: {} };
  }

  /** Makes the node's output another name of `source`; false where the graph's output needs the node. */
  #vanished(node: Node, source: string): boolean {
    const output = node.outputs[0]!;
    if (this.#outputs.has(output)) return false;
    this.#same.set(output, source);
    return true;
  }

  #shape(value: string): readonly number[] | undefined {
    const shape = this.#initializers.get(value)?.shape ?? this.#graph.types.get(value)?.shape;
    return shape?.every((side) => typeof side === 'number') ? (shape as number[]) : undefined;
  }
}

function isReshape(node: Node | undefined): boolean {
  return node?.domain === ONNX_DOMAIN && node.opType === 'Reshape';
}

const isChannelsLast = (node: Node): boolean => attribute(node, 'channels_last', 'int', 0) === 1;

function sameShape(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((side, i) => side === b[i]);
}
