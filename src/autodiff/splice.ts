import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { renameValues } from './rename.ts';
import { OpContext } from './rule.ts';

/** Replaces nodes of a graph by others, in place; values keep their names. */
export class Splicer {
  readonly builder: GraphBuilder;
  readonly #graph: Graph;
  readonly #graphOutputs: ReadonlySet<string>;
  readonly #read: ReadonlySet<string>;
  readonly #replacements = new Map<Node, readonly Node[]>();
  /** New value -> the name it takes over. */
  readonly #names = new Map<string, string>();
  /** Old value -> an existing one that stands for it. */
  readonly #substitutes = new Map<string, string>();
  #made: number;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#graphOutputs = new Set(graph.outputs.map((output) => output.name));
    this.#read = new Set([...this.#graphOutputs, ...graph.nodes.flatMap((node) => node.inputs)]);
    this.builder = GraphBuilder.from(graph);
    this.#made = graph.nodes.length;
  }

  /**
   * Puts what `emit` adds in the place of `node` (and drops `absorbed`, which nothing else may read). `emit`
   * returns the values that stand for the node's outputs, undefined for one it does not make.
   * @throws ModelError where such a one is read.
   */
  replace(
    node: Node,
    emit: (context: OpContext) => readonly (string | undefined)[],
    absorbed: readonly Node[] = [],
  ): void {
    const context = new OpContext(node, this.builder, node.name);
    const values = emit(context);
    for (const [i, output] of node.outputs.entries()) {
      const value = values[i];
      if (output === '') continue;
      if (value === undefined) {
        if (this.#read.has(output)) throw context.refuse(`its output ${i} ("${output}") is read by others`);
        continue;
      }
      const own =
        !this.#graph.types.has(value) && !this.#names.has(value) && this.builder.constantValue(value) === undefined;
      if (own) this.#names.set(value, output);
      else if (this.#graphOutputs.has(output)) this.#names.set(context.op('Identity', [value]), output);
      else this.#substitutes.set(output, value);
    }
    const { nodes } = this.builder.build();
    this.#replacements.set(node, nodes.slice(this.#made));
    for (const gone of absorbed) this.#replacements.set(gone, []);
    this.#made = nodes.length;
  }

  finish(): Graph {
    const built = this.builder.build();
    const nodes = this.#graph.nodes.flatMap((node) => this.#replacements.get(node) ?? [node]);
    const named = renameValues({ ...built, nodes }, this.#names);
    return {
      ...named,
      nodes: named.nodes.map((node) => ({ ...node, inputs: node.inputs.map((input) => this.#substitute(input)) })),
    };
  }

  #substitute(value: string): string {
    const other = this.#substitutes.get(value);
    return other === undefined ? value : this.#substitute(other);
  }
}
