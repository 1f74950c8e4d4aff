import type { Attribute, Graph, Node } from '../../onnx/graph.ts';

/** One node for all that compute the same: equal op, attributes and inputs. Outputs of the graph keep their names. */
export function withoutCommonSubexpressions(graph: Graph): Graph {
  const first = new Map<string, Node>();
  const names = new Map<string, string>();
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => names.get(name) ?? name) };
    const key = keyOf(node);
    const known = key === undefined ? undefined : first.get(key);
    const replaceable =
      known !== undefined &&
      node.outputs.every((output, i) => !outputs.has(output) && (output === '' || (known.outputs[i] ?? '') !== ''));
    if (!replaceable) {
      nodes.push(node);
      if (key !== undefined && known === undefined) first.set(key, node);
      continue;
    }
    for (const [i, output] of node.outputs.entries()) if (output !== '') names.set(output, known.outputs[i]!);
  }
  return { ...graph, nodes, types: withoutKeys(graph.types, names) };
}

/** Ops whose two runs differ. */
const RANDOM = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Dropout',
  'Multinomial',
]);

function keyOf(node: Node): string | undefined {
  if (RANDOM.has(node.opType)) return undefined;
  const attributes: string[] = [];
  for (const [name, value] of Object.entries(node.attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const text = attributeKey(value);
    if (text === undefined) return undefined;
    attributes.push(`${name}=${text}`);
  }
  return `${node.domain}:${node.opType}(${node.inputs.join(',')};${attributes.join(';')})`;
}

function attributeKey(attribute: Attribute): string | undefined {
  if (attribute.kind === 'graph') return undefined;
  if (attribute.kind === 'tensor')
    return attribute.value.data.length > 16
      ? undefined
      : `${attribute.value.dtype}[${attribute.value.shape}]${Array.from(attribute.value.data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? '-0' : String(x))).join()}`;
  return `${attribute.kind}:${JSON.stringify(attribute.value)}`;
}

function withoutKeys<T>(map: ReadonlyMap<string, T>, keys: ReadonlyMap<string, unknown>): Map<string, T> {
  return new Map([...map].filter(([name]) => !keys.has(name)));
}
