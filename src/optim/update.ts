import type { GraphBuilder } from '../onnx/builder.ts';
import { averageDecay } from './average.ts';
import { slotName, UpdateContext, type Parameter, type Transform } from './transform.ts';

/** The slot of averaged weights; it starts as a copy of the parameter, all others as zeros. */
export const AVERAGE_SLOT = 'average';

export interface UpdateOptions {
  readonly transform: Transform;
  readonly parameters: readonly Parameter[];
  /** Parameter -> the value that holds it. */
  readonly values: ReadonlyMap<string, string>;
  /** Parameter -> the value that holds its gradient. */
  readonly gradients: ReadonlyMap<string, string>;
  /**
   * Values whose squares add up to those of all gradients, to be made in this order. The engine computes first what
   * the norm is made of: memory is free soonest where they come in backward's order. Default: the gradients.
   */
  readonly pieces?: readonly string[];
  /** Running statistic -> its value after the step; they are averaged with the weights. */
  readonly buffers?: ReadonlyMap<string, string>;
  /** Decay of averaged weights; default: none are kept. */
  readonly averageDecay?: number;
}

/** Names of inputs and outputs of an update, for whoever runs the graph. */
export interface Update {
  /** Parameter -> output with its new value. */
  readonly parameters: ReadonlyMap<string, string>;
  /** State input, such as `momentum/fc.weight` -> output with its new value. */
  readonly state: ReadonlyMap<string, string>;
  /** Scalar inputs and their value at a step, counted from 1. */
  readonly scalars: Readonly<Record<string, (step: number) => number>>;
  /** Group -> scalar input with its learning rate. */
  readonly rates: ReadonlyMap<string, string>;
  /** Output: the norm of all gradients together, before clipping. Not finite where any gradient is not. */
  readonly gradientNorm: string;
}

/**
 * Adds an optimizer's step to a graph: declares inputs for its state, its scalars and the learning rate of each
 * group, and outputs for the new parameters and state.
 * @throws RangeError where a parameter has no value or gradient.
 */
export function addUpdate(b: GraphBuilder, options: UpdateOptions): Update {
  const { transform, parameters, values, gradients, buffers = new Map<string, string>() } = options;
  const average = options.averageDecay === undefined ? undefined : averageDecay(options.averageDecay);
  const slots = new Map<string, string>();
  const declare = (slot: string, name: string, shape: readonly number[]): void => {
    const input = slotName(slot, name);
    slots.set(input, b.input(input, 'float32', shape));
  };
  for (const { name, shape } of parameters) for (const slot of transform.slots) declare(slot, name, shape);
  const scalars = {
    ...transform.scalars,
    ...(average !== undefined && { average_rate: (step: number) => 1 - average(step) }),
  };
  const scalarInputs = new Map(Object.keys(scalars).map((name) => [name, b.input(`scalar/${name}`, 'float32', [])]));
  const groups = new Set(parameters.map(({ group }) => group));
  const rates = new Map([...groups].map((group) => [group, b.input(`learning_rate/${group}`, 'float32', [])]));

  const pieces = options.pieces ?? [...gradients.values()];
  const context = new UpdateContext(b, parameters, { values, slots, scalars: scalarInputs, rates, pieces });
  const updates = transform.apply(context, gradients);

  const next = new Map<string, string>();
  for (const { name } of parameters) next.set(name, b.output(context.add(context.value(name), updates.get(name)!)));
  const state = new Map<string, string>();
  for (const [slot, value] of context.remembered) state.set(slot, b.output(value));
  if (average !== undefined) {
    const rate = scalarInputs.get('average_rate')!;
    for (const [name, value] of [...next, ...buffers]) {
      declare(AVERAGE_SLOT, name, b.shape(value));
      const old = slotName(AVERAGE_SLOT, name);
      const moved = context.add(old, context.mul(context.sub(value, old), rate));
      state.set(old, b.output(moved));
    }
  }
  // The last of the nodes that nothing reads is the first that the engine looks at.
  const gradientNorm = b.output(context.gradientNorm(), b.uniqueName('gradient_norm'));
  return {
    parameters: next,
    state,
    scalars: Object.fromEntries(Object.entries(scalars).map(([name, at]) => [scalarInputs.get(name)!, at])),
    rates,
    gradientNorm,
  };
}
