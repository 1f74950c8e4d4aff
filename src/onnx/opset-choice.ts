import type { DataType } from '../core/tensor.ts';
import { ModelError } from '../core/errors.ts';
import {
  describeNode,
  GRADIENT_DOMAIN,
  INTERNAL_OPSET,
  ONNX_DOMAIN,
  type Attribute,
  type Attributes,
  type Graph,
  type Node,
  type TensorType,
} from './graph.ts';
import { OP_VERSIONS, type OpVersion } from './proto/op-versions.ts';

/** The lowest opset that is written: its `Softmax`, `Squeeze` and `Split` are those of today. */
export const OLDEST_WRITTEN_OPSET = 13;

/**
 * The lowest opset, from `least` on, in which every node of the graph means what it means at
 * `INTERNAL_OPSET`. Versions that only took on types count only where the node has such a type.
 * @throws ModelError for an operator that no file may hold.
 */
export function lowestOpset(graph: Graph, least = OLDEST_WRITTEN_OPSET): number {
  return lowest(graph, least, (name) => graph.types.get(name));
}

function lowest(graph: Graph, least: number, outerType: (name: string) => TensorType | undefined): number {
  const typeOf = (name: string): TensorType | undefined => graph.types.get(name) ?? outerType(name);
  let opset = least;
  for (const node of graph.nodes) {
    if (node.domain === GRADIENT_DOMAIN)
      throw new ModelError(`${describeNode(node)} is an abstract operator: it must be lowered before it is written.`);
    if (node.domain === ONNX_DOMAIN) opset = Math.max(opset, lowestForNode(node, typeOf));
    for (const value of Object.values(node.attributes))
      if (value.kind === 'graph') opset = Math.max(opset, lowest(value.value, least, typeOf));
  }
  return opset;
}

/** The attributes as the opset has them: those it does not know, and that say what it does anyway, left out. */
export function attributesFor(node: Node, opset: number): Attributes {
  const versions = node.domain === ONNX_DOMAIN ? OP_VERSIONS[node.opType] : undefined;
  const active = versions?.findLast(([since]) => since <= opset);
  if (active === undefined) return node.attributes;
  const known = defaultsOf(active);
  return Object.fromEntries(Object.entries(node.attributes).filter(([name]) => known.has(name)));
}

function lowestForNode(node: Node, typeOf: (name: string) => TensorType | undefined): number {
  const versions = OP_VERSIONS[node.opType];
  // ONNX Runtime's own operators in ONNX's domain exist since its first opset.
  if (versions === undefined) return OLDEST_WRITTEN_OPSET;
  const newest = versions.findLast(([since]) => since <= INTERNAL_OPSET)!;
  let since = newest[0];
  for (const version of versions.toReversed()) {
    if (!meansTheSame(node, version, newest, typeOf)) break;
    since = version[0];
  }
  return Math.max(since, changedMeaning(node));
}

/** Whether a node written for `newest` can be read by `version`, as far as the operator's form tells. */
function meansTheSame(
  node: Node,
  version: OpVersion,
  newest: OpVersion,
  typeOf: (name: string) => TensorType | undefined,
): boolean {
  const [, inputs, outputs, , types] = version;
  if (node.inputs.length > inputs || node.outputs.length > outputs) return false;
  const [known, today] = [defaultsOf(version), defaultsOf(newest)];
  for (const [name, value] of Object.entries(node.attributes))
    if (!known.has(name) && textOf(value) !== today.get(name)) return false;
  for (const [name, value] of today)
    if (known.has(name) && known.get(name) !== value && node.attributes[name] === undefined) return false;
  const groups = types.split('|');
  return node.inputs.every((name, i) => {
    const dtype = name === '' ? undefined : typeOf(name)?.dtype;
    return dtype === undefined || (groups[i] ?? groups.at(-1)!).includes(LETTERS[dtype]);
  });
}

/**
 * Changes of meaning that an operator's form does not show: values of attributes that came later,
 * renamed or corrected behaviour. From the release notes in ONNX's Changelog.md.
 */
function changedMeaning(node: Node): number {
  const text = (name: string): string | undefined => {
    const value = node.attributes[name];
    return value?.kind === 'string' ? value.value : undefined;
  };
  const number = (name: string): number | undefined => {
    const value = node.attributes[name];
    return value?.kind === 'int' ? value.value : undefined;
  };
  switch (node.opType) {
    case 'AveragePool':
      return number('ceil_mode') === 1 ? 19 : 0;
    case 'Attention':
      return 24;
    case 'Cast':
      // int4 and uint4.
      return (number('to') ?? 0) >= 21 ? 21 : 0;
    case 'DFT':
    case 'GridSample':
      return 20;
    case 'GroupNormalization':
      return 21;
    case 'Pad':
      return text('mode') === 'wrap' ? 19 : 0;
    case 'Resize':
      return text('coordinate_transformation_mode') === 'half_pixel_symmetric' ? 19 : 0;
    case 'RoiAlign':
      return 16;
    case 'ScatterElements':
    case 'ScatterND':
      return ['max', 'min'].includes(text('reduction') ?? '') ? 18 : 0;
    default:
      return 0;
  }
}

function defaultsOf(version: OpVersion): Map<string, string | undefined> {
  const known = DEFAULTS.get(version);
  if (known !== undefined) return known;
  const parsed = new Map<string, string | undefined>();
  for (const part of version[3].split('|')) {
    const at = part.indexOf('=');
    if (part !== '') parsed.set(at < 0 ? part : part.slice(0, at), at < 0 ? undefined : part.slice(at + 1));
  }
  DEFAULTS.set(version, parsed);
  return parsed;
}

const DEFAULTS = new WeakMap<OpVersion, Map<string, string | undefined>>();

function textOf(value: Attribute): string {
  return value.kind === 'int' || value.kind === 'float' || value.kind === 'string' ? String(value.value) : '';
}

/** The letters of `OP_VERSIONS`. */
const LETTERS: Readonly<Record<DataType, string>> = {
  float32: 'f',
  float64: 'd',
  float16: 'h',
  bfloat16: 'b',
  int8: 'c',
  int16: 's',
  int32: 'i',
  int64: 'l',
  uint8: 'C',
  uint16: 'S',
  uint32: 'I',
  uint64: 'L',
  bool: '?',
  string: '$',
  int4: 'n',
  uint4: 'N',
};
