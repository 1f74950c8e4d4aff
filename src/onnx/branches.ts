import type { Tensor } from '../core/tensor.ts';
import { ONNX_DOMAIN, type Graph, type Node } from './graph.ts';

/** What stands for an `If` whose condition is known. */
export interface Branch {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
}

/**
 * The branch that an `If` on a known condition takes, its names made unlike those in `taken` (which
 * gains them), and Identity nodes that give its results the names of the `If`'s outputs. Undefined
 * for any other node.
 */
export function chosenBranch(
  node: Node,
  constants: ReadonlyMap<string, Tensor>,
  taken: Set<string>,
): Branch | undefined {
  if (node.opType !== 'If' || node.domain !== ONNX_DOMAIN) return undefined;
  const condition = constants.get(node.inputs[0]!);
  if (condition === undefined) return undefined;
  const body = node.attributes[condition.data[0] ? 'then_branch' : 'else_branch'];
  if (body?.kind !== 'graph') return undefined;
  return spliced(node, body.value, taken);
}

function spliced(node: Node, body: Graph, taken: Set<string>): Branch {
  const names = new Map<string, string>();
  const claim = (name: string): string => {
    let free = name;
    for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  };
  const define = (name: string): string => {
    if (name === '') return name;
    const free = claim(name);
    if (free !== name) names.set(name, free);
    return free;
  };
  const rename = (name: string): string => names.get(name) ?? name;
  const initializers = new Map([...body.initializers].map(([name, value]) => [define(name), value]));
  const nodes = body.nodes.map((inner): Node => {
    const inputs = inner.inputs.map(rename);
    return { ...inner, name: claim(inner.name), inputs, outputs: inner.outputs.map(define) };
  });
  const results = node.outputs.flatMap((output, i): Node[] => {
    if (output === '') return [];
    const name = claim(`${node.name}/${output}`);
    const inputs = [rename(body.outputs[i]!.name)];
    return [{ name, opType: 'Identity', domain: ONNX_DOMAIN, inputs, outputs: [output], attributes: {} }];
  });
  return { nodes: [...nodes, ...results], initializers };
}
