import { ModelError } from '../core/errors.ts';
import { readNames, type RawNode } from './raw-graph.ts';

/**
 * The nodes in an order in which every value is made before it is read; as they are where they are
 * so already. @throws ModelError where nodes wait for each other.
 */
export function sortTopologically(nodes: readonly RawNode[]): readonly RawNode[] {
  const maker = new Map<string, number>();
  for (const [i, node] of nodes.entries()) for (const output of node.outputs) if (output !== '') maker.set(output, i);
  const waits = nodes.map((node) => new Set(readNames(node).flatMap((name) => maker.get(name) ?? [])));
  if (waits.every((needed, i) => [...needed].every((j) => j < i))) return nodes;
  return kahn(nodes, waits);
}

/** Kahn's algorithm; among nodes that are ready, those ready first come first. */
function kahn(nodes: readonly RawNode[], waits: readonly Set<number>[]): RawNode[] {
  const readers = nodes.map((): number[] => []);
  for (const [i, needed] of waits.entries()) for (const j of needed) readers[j]!.push(i);
  const open = waits.map((needed) => needed.size);
  const order = [...open.keys()].filter((i) => open[i] === 0);
  for (let at = 0; at < order.length; at++)
    for (const reader of readers[order[at]!]!) {
      open[reader]!--;
      if (open[reader] === 0) order.push(reader);
    }
  if (order.length < nodes.length) {
    const stuck = nodes[open.findIndex((count) => count > 0)]!;
    throw new ModelError(`Nodes wait for each other in a circle; one of them is "${stuck.name}" (${stuck.opType}).`);
  }
  return order.map((i) => nodes[i]!);
}
