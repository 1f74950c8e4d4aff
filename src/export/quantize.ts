import { fromNumbers, tensor, type Tensor } from '../core/tensor.ts';
import { int, type Graph, type Node } from '../onnx/graph.ts';
import type { Range } from './activation-range.ts';
import type { QuantizationPlan } from './quantization-plan.ts';
import { biasScale, roundWeights, type RoundingInput } from './round-weights.ts';

export interface QuantizeOptions {
  /**
   * Mean of each channel of the products' inputs, by the input's name: with it, biases are corrected.
   */
  readonly inputMeans?: ReadonlyMap<string, readonly number[]>;
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
      const input = { scale: scales.get(node.inputs[0]!)!, means: options.inputMeans?.get(node.inputs[0]!) };
      const { before, weight, bias } = rewrite.weights(node, input, levels);
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
  weights(product: Node, input: RoundingInput, levels: number): { before: Node[]; weight: string; bias?: string } {
    const [inputName, weightName, biasName] = product.inputs as [string, string, string?];
    const key = `${inputName}|${weightName}|${biasName ?? ''}`;
    const known = this.#weights.get(key);
    // Two products of the same values share the integers; their nodes are there already.
    if (known !== undefined) return { ...known, before: [] };
    const bias = biasName ? this.initializers.get(biasName)! : undefined;
    const rounded = roundWeights(product, this.initializers.get(weightName)!, bias, input, levels);
    const weight = this.#dequantized(weightName, rounded.weight, rounded.scales, rounded.axis);
    const made: { before: Node[]; weight: string; bias?: string } = { before: [weight.node], weight: weight.name };
    if (rounded.bias !== undefined) {
      const scales = rounded.scales.map((scale) => biasScale(scale, input));
      const result = this.#dequantized(biasName || `${product.outputs[0]}/bias`, rounded.bias, scales, 0);
      made.before.push(result.node);
      made.bias = result.name;
    }
    this.#weights.set(key, made);
    return made;
  }

  #dequantized(name: string, value: Tensor, scales: readonly number[], axis: number): { node: Node; name: string } {
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
    return { node: node('DequantizeLinear', [stored, scale, zeroPoint], read, { axis: int(axis) }), name: read };
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

function node(opType: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): Node {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes };
}
