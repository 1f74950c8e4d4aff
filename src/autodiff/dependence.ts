import { isFloating } from '../onnx/data-types.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import type { Differentiation } from './rule.ts';
import { differentiation } from './rules/table.ts';

/** What lies between some values and a target that depends on them. */
export interface Dependence {
  /** The nodes on a differentiable path, in the graph's order. */
  readonly nodes: readonly Node[];
  /** The values on such a path: those a gradient is needed for. */
  readonly values: ReadonlySet<string>;
}

/**
 * Finds the differentiable paths from `sources` to `target`. Ops that are refused count as
 * differentiable here, so that what lies behind them is an error and not silently left out.
 * @param constants values that no gradient passes
 */
export function dependence(
  graph: Graph,
  target: string,
  sources: readonly string[],
  constants: readonly string[] = [],
): Dependence {
  const stops = new Set(constants);
  const reached = new Set(sources);
  for (const node of graph.nodes) {
    if (!gradientInputs(node).some((input) => reached.has(input))) continue;
    for (const output of node.outputs)
      if (output !== '' && !stops.has(output) && mayCarryGradient(graph, output)) reached.add(output);
  }
  const values = new Set(reached.has(target) ? [target] : []);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => values.has(output))) continue;
    const inputs = gradientInputs(node).filter((input) => reached.has(input));
    if (inputs.length === 0) continue;
    nodes.push(node);
    for (const input of inputs) values.add(input);
  }
  return { nodes: nodes.toReversed(), values };
}

/** The inputs of a node that a gradient may flow to. */
export function gradientInputs(node: Node): string[] {
  const how: Differentiation = differentiation(node);
  if (how.kind === 'zero') return [];
  const slots = how.kind === 'refused' ? undefined : how.inputs;
  return node.inputs.filter((input, i) => input !== '' && (slots === undefined || slots.includes(i)));
}

function mayCarryGradient(graph: Graph, value: string): boolean {
  const type = graph.types.get(value);
  return type === undefined || isFloating(type.dtype);
}
