import { tensor, type Tensor } from '../core/tensor.ts';
import type { AttributeInput, GraphBuilder } from '../onnx/builder.ts';
import { MICROSOFT_DOMAIN, NCHWC_DOMAIN } from '../onnx/graph.ts';

/**
 * Short forms for the ops that lowerings are made of. Nodes are named `<prefix>/<op>`, where the
 * prefix is the node being lowered, so that a graph viewer and a profile still show what belongs to what.
 */
export class Emitter {
  readonly builder: GraphBuilder;
  readonly prefix: string;

  constructor(builder: GraphBuilder, prefix: string) {
    this.builder = builder;
    this.prefix = prefix;
  }

  op(opType: string, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}): string {
    return this.builder.op(opType, inputs, attributes, { name: `${this.prefix}/${opType}` });
  }

  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInput>,
    outputCount: number,
  ): string[] {
    return this.builder.ops(opType, inputs, attributes, { name: `${this.prefix}/${opType}`, outputCount });
  }

  /** An op of ONNX Runtime's blocked layout. */
  nchwc(opType: string, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}): string {
    return this.builder.op(opType, inputs, attributes, {
      name: `${this.prefix}/nchwc.${opType}`,
      domain: NCHWC_DOMAIN,
    });
  }

  /** An op that ONNX Runtime contributes. */
  microsoft(opType: string, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}): string {
    return this.builder.op(opType, inputs, attributes, { name: `${this.prefix}/${opType}`, domain: MICROSOFT_DOMAIN });
  }

  ints(values: readonly number[]): string {
    return this.builder.int(values);
  }

  scalar(value: number): string {
    return this.builder.float(value);
  }

  constant(value: Tensor): string {
    return this.builder.constant(value);
  }

  /** A float32 constant of `shape` filled by a function of the flat index. */
  filled(shape: readonly number[], value: (index: number) => number): string {
    const size = shape.reduce((a, b) => a * b, 1);
    return this.constant(
      tensor(
        'float32',
        shape,
        Float32Array.from({ length: size }, (_, i) => value(i)),
      ),
    );
  }

  /** A vector of ones, the same for all who ask, so that equal nodes can be found equal. */
  ones(count: number): string {
    const name = `ones_${count}`;
    const value = this.builder.constantValue(name);
    if (value?.shape.length === 1 && value.shape[0] === count && value.data.every((x: unknown) => x === 1)) return name;
    const ones = tensor('float32', [count], new Float32Array(count).fill(1));
    return this.builder.initializer(this.builder.uniqueName(name), ones);
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(shape)]);
  }

  /** Nothing is added where the order stays as it is. */
  transpose(x: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i) ? x : this.op('Transpose', [x], { perm });
  }

  /**
   * A Transpose of a tensor of known shape, in the form that is fastest on ONNX Runtime's CPU engine. Sides of 1
   * are left out and sides that stay together are one. What is left is done at once where the innermost side
   * stays; else that side is brought inside first, and the rest moves as whole runs: for the weights of
   * convolutions this takes a third of the time. Reshapes are free.
   */
  rearrange(x: string, shape: readonly number[], perm: readonly number[]): string {
    const target = perm.map((axis) => shape[axis]!);
    const { sides, order } = mergedAxes(shape, perm);
    if (order.every((axis, i) => axis === i)) return this.reshape(x, target);
    const inner = order.at(-1)!;
    const last = sides.length - 1;
    let current = this.reshape(x, sides);
    if (inner === last || order.length <= 3) return this.reshape(this.transpose(current, order), target);
    current = this.transpose(
      this.reshape(current, [product(sides.slice(0, inner)), sides[inner]!, product(sides.slice(inner + 1))]),
      [0, 2, 1],
    );
    const moved = [...sides.slice(0, inner), ...sides.slice(inner + 1), sides[inner]!];
    const rest = order.map((axis) => (axis === inner ? last : axis > inner ? axis - 1 : axis));
    return this.reshape(this.rearrange(current, moved, rest), target);
  }

  slice(
    x: string,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): string {
    // Exporters write "to the end" as the largest int64, which no number holds.
    const within = (values: readonly number[]): string =>
      this.ints(values.map((v) => Math.min(Math.max(v, -FAR), FAR)));
    const bounds = [within(starts), within(ends), this.ints(axes)];
    return this.op('Slice', steps === undefined ? [x, ...bounds] : [x, ...bounds, this.ints(steps)]);
  }

  /** `x` with the given axes of the given sizes reversed. */
  flip(x: string, axes: readonly number[]): string {
    const minus = axes.map(() => -1);
    return this.slice(
      x,
      minus,
      axes.map(() => -FAR),
      axes,
      minus,
    );
  }

  /** Zeros before and after each axis; nothing is added where all are 0. */
  pad(x: string, before: readonly number[], after: readonly number[]): string {
    return [...before, ...after].every((n) => n === 0) ? x : this.op('Pad', [x, this.ints([...before, ...after])]);
  }

  sum(x: string, axes: readonly number[], keepdims = false): string {
    return this.op('ReduceSum', [x, this.ints(axes)], { keepdims: keepdims ? 1 : 0 });
  }

  mul(a: string, b: string): string {
    return this.op('Mul', [a, b]);
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b]);
  }

  sub(a: string, b: string): string {
    return this.op('Sub', [a, b]);
  }
}

/** Beyond every side. */
const FAR = 2 ** 31;

export const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

/** `[from, from + 1, ..., to - 1]` */
export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Axes without those of side 1, where runs that stay together are one. */
function mergedAxes(shape: readonly number[], perm: readonly number[]): { sides: number[]; order: number[] } {
  const kept = perm.filter((axis) => shape[axis] !== 1);
  const ranks = new Map([...kept].toSorted((a, b) => a - b).map((axis, i) => [axis, i]));
  const runs: number[][] = [];
  for (const axis of kept) {
    const run = runs.at(-1);
    if (run !== undefined && ranks.get(axis) === ranks.get(run.at(-1)!)! + 1) run.push(axis);
    else runs.push([axis]);
  }
  const inOrder = runs.toSorted((a, b) => a[0]! - b[0]!);
  return {
    sides: inOrder.map((run) => product(run.map((axis) => shape[axis]!))),
    order: runs.map((run) => inOrder.indexOf(run)),
  };
}
