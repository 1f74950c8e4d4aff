import { float32, float32Scalar, int64, int64Scalar, type Tensor } from '../core/tensor.ts';
import { didYouMean } from '../core/errors.ts';
import {
  describeNode,
  float,
  int,
  ints,
  string,
  ONNX_DOMAIN,
  type Attribute,
  type Attributes,
  type Graph,
  type Node,
  type Shape,
  type TensorType,
  type ValueInfo,
} from './graph.ts';
import { inferRule } from './shapes/index.ts';
import { firstFreeUnknown, unknownDim } from './unknown-dims.ts';

/** Attributes as a caller writes them: a number is an int; use `float(1)` for a float of whole value. */
export type AttributeInput = Attribute | number | string | readonly number[];

export interface OpOptions {
  readonly domain?: string;
  /** Name of the node; its outputs are named after it. Made unique. */
  readonly name?: string;
  /** Names of the outputs, exactly; default: the node's name (`name:1`, ... for further outputs). */
  readonly outputs?: readonly string[];
  /** How many outputs the node has, where their names do not matter. Default 1. */
  readonly outputCount?: number;
}

/**
 * Makes a graph node by node. Types are inferred and checked as each node is added, so an error
 * points at the caller. A builder can start from an existing graph.
 * @example
 * const b = new GraphBuilder('double');
 * const x = b.input('x', 'float32', ['N', 4]);
 * b.output(b.op('Add', [x, x]), 'y');
 * const graph = b.build();
 */
export class GraphBuilder {
  readonly name: string;
  /** The graph around this one, where it is the body of an `If`, `Loop` or `Scan`: its values can be read. */
  readonly #outer: GraphBuilder | undefined;
  #inputs: ValueInfo[] = [];
  #outputs: ValueInfo[] = [];
  #nodes: Node[] = [];
  #initializers = new Map<string, Tensor>();
  #types = new Map<string, TensorType>();
  #nodeNames = new Set<string>();
  #constants = new Map<string, string>();
  #unknown = 0;
  /** Next number to try for a base name, so that making many names stays linear. */
  #suffix = new Map<string, number>();

  constructor(name: string, options: { outer?: GraphBuilder } = {}) {
    this.name = name;
    this.#outer = options.outer;
  }

  /** A builder that already holds `graph` (its outputs too, unless `outputs` is false). */
  static from(graph: Graph, options: { outputs?: boolean; name?: string } = {}): GraphBuilder {
    const builder = new GraphBuilder(options.name ?? graph.name);
    builder.#inputs = [...graph.inputs];
    builder.#outputs = options.outputs === false ? [] : [...graph.outputs];
    builder.#nodes = [...graph.nodes];
    builder.#initializers = new Map(graph.initializers);
    builder.#types = new Map(graph.types);
    for (const node of graph.nodes) builder.#nodeNames.add(node.name);
    for (const { name, type } of graph.inputs) builder.#types.set(name, type);
    for (const [name, value] of graph.initializers)
      builder.#types.set(name, { dtype: value.dtype, shape: value.shape });
    builder.#unknown = firstFreeUnknown(builder.#types.values());
    return builder;
  }

  /** Keeps names from being given to nodes and values that have none of their own. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.#reserved.add(name);
  }

  /** `shape` is undefined where not even the rank is known. */
  input(name: string, dtype: TensorType['dtype'], shape: Shape | undefined): string {
    this.#claim(name);
    const type: TensorType = { dtype, shape: shape && [...shape] };
    this.#inputs.push({ name, type });
    this.#types.set(name, type);
    return name;
  }

  /** A named initializer: a parameter or a buffer. */
  initializer(name: string, value: Tensor): string {
    this.#claim(name);
    this.#initializers.set(name, value);
    this.#types.set(name, { dtype: value.dtype, shape: value.shape });
    return name;
  }

  /** An unnamed constant; small equal ones are shared. */
  constant(value: Tensor): string {
    const key = value.data.length <= 64 ? `${value.dtype}[${value.shape}]${constantKey(value)}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.uniqueName('const');
    this.initializer(name, value);
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A float32 constant: a scalar from a number, rank 1 from a list. */
  float(value: number | readonly number[]): string {
    return this.constant(typeof value === 'number' ? float32Scalar(value) : float32(value));
  }

  /** An int64 constant: a scalar from a number, rank 1 from a list. */
  int(value: number | readonly number[]): string {
    return this.constant(typeof value === 'number' ? int64Scalar(value) : int64(value));
  }

  /** Adds a node with one output and returns that output's name. */
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInput> = {},
    options: OpOptions = {},
  ): string {
    return this.ops(opType, inputs, attributes, options)[0]!;
  }

  /** Adds a node and returns the names of all its outputs. @throws TypeError, RangeError naming the node. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInput> = {},
    options: OpOptions = {},
  ): string[] {
    const name = this.uniqueNodeName(options.name ?? options.outputs?.[0] ?? opType);
    const outputs =
      options.outputs ??
      Array.from({ length: options.outputCount ?? 1 }, (_, i) => this.uniqueName(i === 0 ? name : `${name}:${i}`));
    const node: Node = {
      name,
      opType,
      domain: options.domain ?? ONNX_DOMAIN,
      inputs: trimmed(inputs),
      outputs: [...outputs],
      attributes: toAttributes(attributes),
    };
    this.addNode(node);
    return node.outputs as string[];
  }

  /** Adds a node as it is; its name must be free. */
  addNode(node: Node): void {
    for (const input of node.inputs)
      if (input !== '' && !this.has(input)) {
        const near = didYouMean(input, this.#types.keys());
        throw new RangeError(
          `${describeNode(node)} reads "${input}", which nothing makes${near ? ` (did you mean "${near}"?)` : ''}.`,
        );
      }
    const types = this.#infer(node);
    this.#nodeNames.add(node.name);
    for (const [i, output] of node.outputs.entries()) {
      if (output === '') continue;
      this.#claim(output);
      this.#made.add(output);
      const type = types[i];
      if (type !== undefined) this.#types.set(output, type);
    }
    this.#nodes.push(node);
  }

  /** States the type of a value where inference knows less: an op without a rule, a symbol's name. */
  declareType(name: string, type: TensorType): void {
    if (!this.has(name)) throw new RangeError(`Nothing makes "${name}", whose type is declared.`);
    this.#types.set(name, type);
  }

  /** Declares `value` an output; with `name`, under that name (through an Identity where they differ). */
  output(value: string, name: string = value): string {
    const named = name === value ? value : this.op('Identity', [value], {}, { outputs: [name] });
    const type = this.typeIfKnown(named);
    if (type === undefined) throw new RangeError(`Output "${name}" has no known type; nothing makes "${value}"?`);
    this.#outputs.push({ name: named, type });
    return named;
  }

  has(name: string): boolean {
    return this.#types.has(name) || this.#made.has(name) || this.#outer?.has(name) === true;
  }

  /** The type where it is known. */
  typeIfKnown(name: string): TensorType | undefined {
    return this.#types.get(name) ?? this.#outer?.typeIfKnown(name);
  }

  /** @throws RangeError where the type is unknown. */
  type(name: string): TensorType {
    const type = this.typeIfKnown(name);
    if (type === undefined) throw new RangeError(`The type of "${name}" is not known.`);
    return type;
  }

  /** The shape where every side is a number. @throws RangeError otherwise. */
  shape(name: string): number[] {
    const { shape } = this.type(name);
    if (shape === undefined || shape.some((side) => typeof side !== 'number'))
      throw new RangeError(
        `The shape of "${name}" must be known before the run, got ${shape === undefined ? 'an unknown rank' : `[${shape}]`}.`,
      );
    return shape as number[];
  }

  /** The value of an initializer or constant, where `name` is one. */
  constantValue(name: string): Tensor | undefined {
    return this.#initializers.get(name) ?? this.#outer?.constantValue(name);
  }

  uniqueName(base: string): string {
    if (this.#isFree(base)) return base;
    for (let i = this.#suffix.get(base) ?? 1; ; i++) {
      const name = `${base}_${i}`;
      if (!this.#isFree(name)) continue;
      this.#suffix.set(base, i + 1);
      return name;
    }
  }

  /** `base`, or with a number where a node or value has that name. */
  uniqueNodeName(base: string): string {
    if (!this.#nodeNames.has(base) && this.#isFree(base)) return base;
    for (let i = this.#suffix.get(base) ?? 1; ; i++) {
      const name = `${base}_${i}`;
      if (this.#nodeNames.has(name) || !this.#isFree(name)) continue;
      this.#suffix.set(base, i + 1);
      return name;
    }
  }

  /** A new symbolic side, different from every other in this graph and those around it. */
  unknownDim(): string {
    return this.#outer?.unknownDim() ?? unknownDim(this.#unknown++);
  }

  build(): Graph {
    return {
      name: this.name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      initializers: new Map(this.#initializers),
      types: new Map(this.#types),
    };
  }

  /** Outputs of nodes, also those without a known type. */
  #made = new Set<string>();
  #reserved = new Set<string>();

  #isFree(name: string): boolean {
    return !this.has(name) && !this.#reserved.has(name);
  }

  #claim(name: string): void {
    if (this.has(name)) throw new RangeError(`The name "${name}" is taken in graph "${this.name}".`);
  }

  #infer(node: Node): readonly (TensorType | undefined)[] {
    const rule = inferRule(node.domain, node.opType);
    if (rule === undefined) return node.outputs.map(() => undefined);
    try {
      return rule({
        node,
        inputs: node.inputs.map((input) => this.typeIfKnown(input)),
        constant: (index) => this.constantValue(node.inputs[index] ?? ''),
        unknownDim: () => this.unknownDim(),
      });
    } catch (error) {
      if (error instanceof Error) error.message = `${describeNode(node)}: ${error.message}`;
      throw error;
    }
  }
}

/** `[a, '', b, '', '']` without absent inputs at the end. */
function trimmed(inputs: readonly string[]): string[] {
  let end = inputs.length;
  while (end > 0 && inputs[end - 1] === '') end--;
  return inputs.slice(0, end);
}

function toAttributes(attributes: Record<string, AttributeInput>): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)]));
}

function toAttribute(value: AttributeInput): Attribute {
  if (typeof value === 'number') return Number.isInteger(value) ? int(value) : float(value);
  if (typeof value === 'string') return string(value);
  return Array.isArray(value) ? ints(value) : (value as Attribute);
}

function constantKey(value: Tensor): string {
  // -0 and NaN keep their identity; BigInt has no JSON form.
  return Array.from(value.data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? '-0' : String(x))).join();
}
