import { fromNumbers } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/**
 * Optimizers as transformations of updates, joined by `chain` (the shape of optax): gradients go in, what is
 * added to the parameters comes out. Each is a graph fragment; what it remembers between steps is a tensor a
 * parameter, what changes from step to step is a scalar input. All are elementwise but for norms over
 * whole tensors, so they hold in any layout, and padding of zeros stays zero. What is called a parameter here may be
 * several in one row.
 */
export interface Transform {
  /** What is remembered, one tensor of the parameter's shape each, zero at the start. */
  readonly slots: readonly string[];
  /** Scalar inputs, computed for each step; steps count from 1. */
  readonly scalars: Readonly<Record<string, (step: number) => number>>;
  /** Whether it looks at a parameter as a whole: then several may not be joined to one. Default false. */
  readonly perTensor?: boolean;
  /** Emits the update of every parameter; the input is the gradients or what the transform before made of them. */
  apply(context: UpdateContext, updates: Updates): Updates;
}

/** Parameter -> value. */
export type Updates = ReadonlyMap<string, string>;

export interface Parameter {
  readonly name: string;
  /** As it lies in the graph: packed, where a lowering packs it. */
  readonly shape: readonly number[];
  /** Whose learning rate it takes. */
  readonly group: string;
  /** Whether weight decay applies: not to norms and biases. */
  readonly decay: boolean;
}

/** Where transforms emit their nodes. */
export class UpdateContext {
  readonly builder: GraphBuilder;
  readonly parameters: readonly Parameter[];
  readonly #values: ReadonlyMap<string, string>;
  readonly #slots: ReadonlyMap<string, string>;
  readonly #scalars: ReadonlyMap<string, string>;
  readonly #rates: ReadonlyMap<string, string>;
  readonly #pieces: readonly string[];
  readonly #next = new Map<string, string>();
  #norm: string | undefined;

  constructor(
    builder: GraphBuilder,
    parameters: readonly Parameter[],
    inputs: {
      readonly values: ReadonlyMap<string, string>;
      readonly slots: ReadonlyMap<string, string>;
      readonly scalars: ReadonlyMap<string, string>;
      readonly rates: ReadonlyMap<string, string>;
      /** Values whose squares add up to those of all gradients. */
      readonly pieces: readonly string[];
    },
  ) {
    this.builder = builder;
    this.parameters = parameters;
    this.#values = inputs.values;
    this.#slots = inputs.slots;
    this.#scalars = inputs.scalars;
    this.#rates = inputs.rates;
    this.#pieces = inputs.pieces;
  }

  /** The parameter's value before the step. */
  value(parameter: string): string {
    return found(this.#values, parameter);
  }

  /** What was remembered. */
  slot(name: string, parameter: string): string {
    return found(this.#slots, slotName(name, parameter));
  }

  /** What is to be remembered. */
  remember(name: string, parameter: string, value: string): string {
    this.#next.set(slotName(name, parameter), value);
    return value;
  }

  /** Slot (`momentum/fc.weight`) -> the value to be remembered. */
  get remembered(): ReadonlyMap<string, string> {
    return this.#next;
  }

  scalar(name: string): string {
    return found(this.#scalars, name);
  }

  /** The learning rate of a group, a scalar. */
  rate(group: string): string {
    return found(this.#rates, group);
  }

  constant(value: number): string {
    return this.builder.constant(fromNumbers('float32', [], [value]));
  }

  mul(a: string, b: string | number): string {
    return this.#binary('Mul', a, b);
  }

  add(a: string, b: string | number): string {
    return this.#binary('Add', a, b);
  }

  div(a: string, b: string): string {
    return this.builder.op('Div', [a, b]);
  }

  sub(a: string, b: string): string {
    return this.builder.op('Sub', [a, b]);
  }

  sqrt(a: string): string {
    return this.builder.op('Sqrt', [a]);
  }

  /** decay * old + (1 - decay) * value */
  average(decay: number, old: string, value: string): string {
    return this.add(this.mul(old, decay), this.mul(value, 1 - decay));
  }

  /** The sum of squares of a tensor, a scalar. */
  sumOfSquares(value: string): string {
    return this.builder.op('ReduceSumSquare', [value], { keepdims: 0 });
  }

  /** The norm of all gradients together, as they came in: a scalar. */
  gradientNorm(): string {
    // Sums one by one: the engine then makes and leaves one gradient after the other.
    this.#norm ??= this.sqrt(
      this.#pieces.map((piece) => this.sumOfSquares(piece)).reduce((sum, square) => this.add(sum, square)),
    );
    return this.#norm;
  }

  /** Applies `update` to each parameter's update. */
  each(updates: Updates, update: (value: string, parameter: Parameter) => string): Updates {
    return new Map(
      this.parameters.map((parameter) => [parameter.name, update(found(updates, parameter.name), parameter)]),
    );
  }

  #binary(opType: string, a: string, b: string | number): string {
    return this.builder.op(opType, [a, typeof b === 'number' ? this.constant(b) : b]);
  }
}

/** `momentum/fc.weight`: how a slot's tensor is named in graphs and checkpoints. */
export function slotName(slot: string, parameter: string): string {
  return `${slot}/${parameter}`;
}

/**
 * One transform after the other.
 * @throws RangeError where two of them remember or read something under the same name.
 * @example
 * const adamw = chain(scaleByAdam(), addDecayedWeights(0.05), scaleByLearningRate());
 */
export function chain(...transforms: readonly Transform[]): Transform {
  const slots = transforms.flatMap((transform) => transform.slots);
  const scalars = transforms.flatMap((transform) => Object.entries(transform.scalars));
  for (const names of [slots, scalars.map(([name]) => name)]) {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new RangeError(`Two transforms of a chain use the name "${twice}".`);
  }
  return {
    slots,
    scalars: Object.fromEntries(scalars),
    perTensor: transforms.some((transform) => transform.perTensor),
    apply: (context, updates) => transforms.reduce((current, transform) => transform.apply(context, current), updates),
  };
}

function found(map: ReadonlyMap<string, string>, name: string): string {
  const value = map.get(name);
  if (value === undefined) throw new RangeError(`The update graph has no "${name}".`);
  return value;
}
