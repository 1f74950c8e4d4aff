import { fromNumbers, tensor, toNumbers, type Tensor } from '../core/tensor.ts';
import { attribute, int, type Graph, type Node } from '../onnx/graph.ts';
import type { Range } from './activation-range.ts';
import type { QuantizationPlan } from './quantization-plan.ts';

export interface QuantizeOptions {
  /**
   * Weights use -127..127 with 8 bits, -63..63 with 7. Default 7: processors with AVX2 or AVX-512 but
   * without VNNI add products pairwise in 16 bits, which 8-bit weights overflow, and the model would be less
   * accurate there than it was measured here.
   */
  readonly weightBits?: 7 | 8;
}

/**
 * Rounds a float32 network to int8, as standard QuantizeLinear and DequantizeLinear pairs that engines
 * fuse into integer kernels: activations uint8, one scale a tensor; weights int8, symmetric, one scale an
 * output channel; biases int32 (Jacob et al., 2018; Nagel et al., 2021).
 * @param ranges what each value of the plan covers
 * @throws RangeError where a range is missing.
 */
export function quantize(
  graph: Graph,
  plan: QuantizationPlan,
  ranges: ReadonlyMap<string, Range>,
  options: QuantizeOptions = {},
): Graph {
  const rewrite = new Rewrite(graph);
  const scales = new Map<string, number>();
  const pairs = new Map<string, Node[]>();
  for (const name of plan.values) {
    const range = ranges.get(plan.sharedWith.get(name) ?? name);
    if (range === undefined) throw new RangeError(`No range of values is known for "${name}".`);
    const scale = scaleOf(range);
    scales.set(name, scale);
    pairs.set(name, rewrite.activation(name, scale, Math.round(-range.min / scale)));
  }
  const products = new Set(plan.products);
  const levels = options.weightBits === 8 ? 127 : 63;
  const nodes: Node[] = graph.inputs.flatMap((input) => pairs.get(input.name) ?? []);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => rewrite.rounded.get(name) ?? name);
    if (products.has(node)) {
      const { before, weight, bias } = rewrite.weights(node, scales.get(node.inputs[0]!)!, levels);
      nodes.push(...before, { ...node, inputs: [inputs[0]!, weight, ...(bias === undefined ? [] : [bias])] });
    } else nodes.push({ ...node, inputs });
    for (const output of node.outputs) nodes.push(...(pairs.get(output) ?? []));
  }
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...graph.outputs.map((output) => output.name)]);
  return {
    ...graph,
    nodes,
    initializers: new Map([...rewrite.initializers].filter(([name]) => read.has(name))),
    types: rewrite.types,
  };
}

/** 256 levels over the range; both ends are among them. */
function scaleOf({ min, max }: Range): number {
  return max > min ? Math.fround((max - min) / 255) : 1;
}

/** The new graph's values while they are made. */
class Rewrite {
  readonly initializers: Map<string, Tensor>;
  readonly types: Map<string, Graph['types'] extends ReadonlyMap<string, infer T> ? T : never>;
  /** What readers of an activation read instead. */
  readonly rounded = new Map<string, string>();
  #weights = new Map<string, { before: Node[]; weight: string; bias?: string }>();

  constructor(graph: Graph) {
    this.initializers = new Map(graph.initializers);
    this.types = new Map(graph.types);
  }

  activation(name: string, scale: number, zeroPoint: number): Node[] {
    const parameters = [
      this.#add(`${name}/scale`, tensor('float32', [], Float32Array.of(scale))),
      this.#add(`${name}/zero_point`, tensor('uint8', [], Uint8Array.of(zeroPoint))),
    ];
    const shape = this.types.get(name)?.shape;
    const stored = this.#name(`${name}/uint8`);
    this.types.set(stored, { dtype: 'uint8', shape });
    const read = this.#name(`${name}/rounded`);
    this.types.set(read, { dtype: 'float32', shape });
    this.rounded.set(name, read);
    return [
      node('QuantizeLinear', [name, ...parameters], stored),
      node('DequantizeLinear', [stored, ...parameters], read),
    ];
  }

  /** Weights and bias of a product as integers, each behind a DequantizeLinear. */
  weights(product: Node, inputScale: number, levels: number): { before: Node[]; weight: string; bias?: string } {
    const [, weightName, biasName] = product.inputs as [string, string, string?];
    const key = `${weightName}|${biasName ?? ''}|${inputScale}`;
    const known = this.#weights.get(key);
    // Two products that share weights and scale share the integers; their nodes are there already.
    if (known !== undefined) return { ...known, before: [] };
    const weight = this.initializers.get(weightName)!;
    const bias = biasName ? toNumbers(this.initializers.get(biasName)!) : undefined;
    const axis = channelAxis(product, weight);
    const channels = weight.shape[axis]!;
    const inner = weight.shape.slice(axis + 1).reduce((product, side) => product * side, 1);
    const values = toNumbers(weight);
    const channelOf = (i: number): number => Math.floor(i / inner) % channels;
    const largest = new Float64Array(channels);
    for (const [i, value] of values.entries())
      largest[channelOf(i)] = Math.max(largest[channelOf(i)]!, Math.abs(value));
    const scales = [...largest].map((value, channel) => {
      const scale = value > 0 ? value / levels : 1;
      // A channel of all but zero weights has so small a scale that its bias would not fit 32 bits.
      return Math.fround(Math.max(scale, Math.abs(bias?.[channel] ?? 0) / inputScale / 2 ** 30));
    });
    const integers = values.map((value, i) => {
      const rounded = Math.round(value / scales[channelOf(i)]!);
      return Math.max(-levels, Math.min(levels, rounded));
    });
    const result = this.#dequantized(weightName, fromNumbers('int8', weight.shape, integers), scales, axis);
    if (bias === undefined) {
      this.#weights.set(key, { before: result.nodes, weight: result.name });
      return { before: result.nodes, weight: result.name };
    }
    const biasScales = scales.map((scale) => Math.fround(scale * inputScale));
    const biasIntegers = bias.map((value, channel) => Math.round(value / biasScales[channel]!));
    const biasResult = this.#dequantized(biasName!, fromNumbers('int32', [channels], biasIntegers), biasScales, 0);
    const made = { before: [...result.nodes, ...biasResult.nodes], weight: result.name, bias: biasResult.name };
    this.#weights.set(key, made);
    return made;
  }

  #dequantized(name: string, value: Tensor, scales: readonly number[], axis: number): { nodes: Node[]; name: string } {
    const stored = this.#add(`${name}/${value.dtype}`, value);
    const scale = this.#add(`${name}/scale`, fromNumbers('float32', [scales.length], scales));
    const zeroPoint = this.#add(
      `${name}/zero_point`,
      fromNumbers(
        value.dtype,
        [scales.length],
        scales.map(() => 0),
      ),
    );
    const read = this.#name(`${name}/rounded`);
    this.types.set(read, { dtype: 'float32', shape: value.shape });
    return { nodes: [node('DequantizeLinear', [stored, scale, zeroPoint], read, { axis: int(axis) })], name: read };
  }

  #add(base: string, value: Tensor): string {
    const name = this.#name(base);
    this.initializers.set(name, value);
    this.types.set(name, { dtype: value.dtype, shape: value.shape });
    return name;
  }

  #name(base: string): string {
    let name = base;
    for (let i = 1; this.types.has(name); i++) name = `${base}_${i}`;
    return name;
  }
}

/** The axis of the weights that counts output channels. */
function channelAxis(product: Node, weight: Tensor): number {
  if (product.opType === 'Conv') return 0;
  if (product.opType === 'Gemm') return attribute(product, 'transB', 'int', 0) === 1 ? 0 : 1;
  return weight.shape.length - 1;
}

function node(opType: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): Node {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes };
}
