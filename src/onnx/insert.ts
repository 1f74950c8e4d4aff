import { GraphBuilder } from './builder.ts';
import type { Graph, Node } from './graph.ts';

/** What a node of the graph reads instead of one of its inputs. */
export interface Insertion {
  readonly node: Node;
  /** Position among the node's inputs. */
  readonly input: number;
  /** Makes the new value of the old one. */
  emit(builder: GraphBuilder, value: string): string;
}

/** The graph with nodes put in front of inputs of others; all values keep their names. */
export function insert(graph: Graph, insertions: readonly Insertion[]): Graph {
  const builder = GraphBuilder.from(graph);
  const before = new Map<Node, Node[]>();
  const inputs = new Map<Node, string[]>();
  for (const { node, input, emit } of insertions) {
    const made = builder.build().nodes.length;
    const read = inputs.get(node) ?? [...node.inputs];
    read[input] = emit(builder, read[input]!);
    inputs.set(node, read);
    before.set(node, [...(before.get(node) ?? []), ...builder.build().nodes.slice(made)]);
  }
  const nodes = graph.nodes.flatMap((node) => {
    const read = inputs.get(node);
    return read === undefined ? [node] : [...before.get(node)!, { ...node, inputs: read }];
  });
  return { ...builder.build(), nodes };
}
