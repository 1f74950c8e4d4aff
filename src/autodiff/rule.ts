import { fromNumbers, type DataType, type Tensor } from '../core/tensor.ts';
import { ModelError } from '../core/errors.ts';
import { describeNode, type Node } from '../onnx/graph.ts';
import type { AttributeInput, GraphBuilder } from '../onnx/builder.ts';

/**
 * The gradient of the loss with respect to one input, as the name of a value. It may still have the
 * broadcast shape of the op's output: the driver sums it down to the input's shape.
 */
export type InputGradient = () => string | undefined;

/** The local mathematics of an op: one entry an input, undefined where the gradient is zero. Only what is needed is called. */
export type Rule = (context: RuleContext) => readonly (InputGradient | undefined)[];

/** Writes an op as simpler ones, which are then differentiated: returns the names that stand for the node's outputs. */
export type Decomposition = (context: OpContext) => readonly (string | undefined)[];

/** How an op is differentiated: every op of the table is in exactly one of these states. */
export type Differentiation =
  | {
      readonly kind: 'rule';
      readonly rule: Rule;
      /** The inputs that carry a gradient; all floating ones where absent. */
      readonly inputs?: readonly number[];
      /** How many outputs the rule reads: optional ones up to here are asked of the forward node. */
      readonly outputs?: number;
    }
  /** Written as simpler ops before differentiation; `inputs` as above. */
  | { readonly kind: 'decomposed'; readonly decompose: Decomposition; readonly inputs?: readonly number[] }
  /** Constant almost everywhere: no gradient passes. */
  | { readonly kind: 'zero' }
  /** Not differentiable here; `reason` says why, the caller adds the way out. */
  | { readonly kind: 'refused'; readonly reason: string };

type RuleOptions = Pick<Extract<Differentiation, { kind: 'rule' }>, 'inputs' | 'outputs'>;

export const rule = (apply: Rule, options: RuleOptions = {}): Differentiation => ({
  kind: 'rule',
  rule: apply,
  ...options,
});
export const decomposed = (
  decompose: Decomposition,
  options: { readonly inputs?: readonly number[] } = {},
): Differentiation => ({ kind: 'decomposed', decompose, ...options });
export const zero: Differentiation = { kind: 'zero' };
export const refused = (reason: string): Differentiation => ({ kind: 'refused', reason });

/** A rule for an op of one input whose gradient is one expression. */
export const unary = (gradient: (context: RuleContext, x: string) => string): Differentiation =>
  rule((c) => [() => gradient(c, c.input(0))], { inputs: [0] });

/** What a decomposition may look at, and how it adds nodes (named after the node it stands for). */
export class OpContext {
  readonly node: Node;
  readonly builder: GraphBuilder;
  readonly #prefix: string;

  constructor(node: Node, builder: GraphBuilder, prefix: string) {
    this.node = node;
    this.builder = builder;
    this.#prefix = prefix;
  }

  /** @throws TypeError where the input is absent. */
  input(index: number): string {
    const name = this.node.inputs[index];
    if (name === undefined || name === '') throw new TypeError(`${describeNode(this.node)} lacks input ${index}.`);
    return name;
  }

  /** The name of an optional input, undefined where it is absent. */
  optional(index: number): string | undefined {
    return this.node.inputs[index] || undefined;
  }

  /** @throws TypeError where the output is absent. */
  output(index: number): string {
    const name = this.node.outputs[index];
    if (name === undefined || name === '') throw new TypeError(`${describeNode(this.node)} lacks output ${index}.`);
    return name;
  }

  shape(name: string): number[] {
    return this.builder.shape(name);
  }

  rank(name: string): number {
    return this.shape(name).length;
  }

  /** Element type of the op's first input. */
  get dtype(): DataType {
    return this.builder.type(this.input(0)).dtype;
  }

  op(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInput> = {},
    domain?: string,
  ): string {
    return this.ops(opType, inputs, 1, attributes, domain)[0]!;
  }

  ops(
    opType: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Record<string, AttributeInput> = {},
    domain?: string,
  ): string[] {
    return this.builder.ops(opType, inputs, attributes, {
      name: `${this.#prefix}/${opType}`,
      outputCount,
      ...(domain === undefined ? {} : { domain }),
    });
  }

  /** A scalar constant of the op's element type. */
  scalar(value: number, dtype: DataType = this.dtype): string {
    return this.builder.constant(fromNumbers(dtype, [], [value]));
  }

  /** An int64 constant of rank 1. */
  ints(values: readonly number[]): string {
    return this.builder.int(values);
  }

  add = (a: string, b: string): string => this.op('Add', [a, b]);
  sub = (a: string, b: string): string => this.op('Sub', [a, b]);
  mul = (a: string, b: string): string => this.op('Mul', [a, b]);
  div = (a: string, b: string): string => this.op('Div', [a, b]);
  scale = (a: string, factor: number): string => (factor === 1 ? a : this.mul(a, this.scalar(factor)));
  square = (a: string): string => this.mul(a, a);

  /** 1 where a comparison of two values holds, else 0, in the op's element type. */
  mask(comparison: 'Greater' | 'GreaterOrEqual' | 'Less' | 'LessOrEqual' | 'Equal', a: string, b: string): string {
    return this.toFloat(this.op(comparison, [a, b]));
  }

  /** A bool value as 0 and 1 of the op's element type. */
  toFloat(condition: string, dtype: DataType = this.dtype): string {
    return this.op('Cast', [condition], { to: DATA_TYPE_NUMBER[dtype] ?? 1 });
  }

  reshape(value: string, shape: readonly number[]): string {
    const from = this.shape(value);
    if (from.length === shape.length && from.every((side, axis) => side === shape[axis])) return value;
    return this.op('Reshape', [value, this.ints(shape)]);
  }

  transpose(value: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i) ? value : this.op('Transpose', [value], { perm });
  }

  reduce(
    opType: 'ReduceSum' | 'ReduceMean' | 'ReduceMax',
    value: string,
    axes: readonly number[],
    keepdims = true,
  ): string {
    return this.op(opType, [value, this.ints(axes)], { keepdims: keepdims ? 1 : 0 });
  }

  /** @throws ModelError, naming the node and `what`, where input `index` is not known before the run. */
  constant(index: number, what: string): Tensor {
    const value = this.builder.constantValue(this.input(index));
    if (value === undefined)
      throw this.refuse(`its ${what} ("${this.input(index)}") must be known before the run to be differentiated`);
    return value;
  }

  /** The error for a node that can't be differentiated, with the way out. */
  refuse(reason: string): ModelError {
    return cannotDifferentiate(this.node, reason);
  }
}

/** What a rule may look at. */
export class RuleContext extends OpContext {
  readonly #outputGradients: readonly (string | undefined)[];
  readonly #products = new Map<string, readonly string[]>();

  constructor(node: Node, builder: GraphBuilder, outputGradients: readonly (string | undefined)[]) {
    super(node, builder, `${node.name}_Grad`);
    this.#outputGradients = outputGradients;
  }

  /** The gradient of the first output. @throws ModelError where another output carries one: the rule does not cover that. */
  get dY(): string {
    for (const [i, gradient] of this.#outputGradients.entries())
      if (i > 0 && gradient !== undefined)
        throw this.refuse(
          `the loss depends on its output ${i} ("${this.node.outputs[i]}"), which has no gradient rule`,
        );
    return this.#outputGradients[0]!;
  }

  /** The gradient of output `index`; undefined where the loss does not depend on it. */
  outputGradient(index: number): string | undefined {
    return this.#outputGradients[index];
  }

  override ops(
    opType: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Record<string, AttributeInput> = {},
    domain?: string,
  ): string[] {
    const outputs = super.ops(opType, inputs, outputCount, attributes, domain);
    if (opType === 'Mul') this.#products.set(outputs[0]!, inputs);
    return outputs;
  }

  /** The two factors of a value that this rule made by multiplication. */
  product(value: string): readonly string[] | undefined {
    return this.#products.get(value);
  }

  /** `value` repeated along the axes where it is 1 and `shape` is not. */
  expand(value: string, shape: readonly number[]): string {
    const from = this.shape(value);
    if (from.length === shape.length && from.every((side, axis) => side === shape[axis])) return value;
    return this.op('Expand', [value, this.ints(shape)]);
  }
}

export function cannotDifferentiate(node: Node, reason: string): ModelError {
  return new ModelError(
    `${describeNode(node)} can not be trained through: ${reason}. ` +
      'Freeze every parameter before it (on the command line: --train with a pattern for the layers after it, ' +
      'or --method probe for the head alone).',
  );
}

/** ONNX's numbers of the element types that gradients are cast to. */
const DATA_TYPE_NUMBER: Partial<Record<DataType, number>> = { float32: 1, float16: 10, float64: 11, bfloat16: 16 };
