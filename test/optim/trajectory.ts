import { float32, float32Scalar, toNumbers, zeros, type Tensor } from '../../src/core/tensor.ts';
import { optimizer, type OptimizerOptions } from '../../src/optim/optimizer.ts';
import type { Parameter } from '../../src/optim/transform.ts';
import { addUpdate, AVERAGE_SLOT } from '../../src/optim/update.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { run } from '../lowering/engine.ts';

export interface Trajectory {
  /** Parameter -> its values after each step. */
  readonly values: ReadonlyMap<string, number[][]>;
  readonly averages: ReadonlyMap<string, number[][]>;
  readonly norms: number[];
}

/** Runs an optimizer on given gradients, as a graph on the engine. */
export async function trajectory(
  options: OptimizerOptions,
  parameters: readonly (Parameter & { readonly start: readonly number[] })[],
  gradients: readonly Readonly<Record<string, readonly number[]>>[],
  rates: readonly Readonly<Record<string, number>>[],
  averageDecay?: number,
): Promise<Trajectory> {
  const b = new GraphBuilder('update');
  const values = new Map(parameters.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const grads = new Map(parameters.map(({ name, shape }) => [name, b.input(`${name}_grad`, 'float32', shape)]));
  const update = addUpdate(b, {
    transform: optimizer(options),
    parameters,
    values,
    gradients: grads,
    ...(averageDecay !== undefined && { averageDecay }),
  });
  const graph = b.build();
  const state = new Map<string, Tensor>(parameters.map(({ name, shape, start }) => [name, float32(start, shape)]));
  for (const { name, type } of graph.inputs)
    if (update.state.has(name))
      state.set(
        name,
        name.startsWith(AVERAGE_SLOT)
          ? state.get(name.slice(AVERAGE_SLOT.length + 1))!
          : zeros('float32', type.shape as number[]),
      );
  const result = {
    values: new Map<string, number[][]>(),
    averages: new Map<string, number[][]>(),
    norms: [] as number[],
  };
  for (const [step, gradient] of gradients.entries()) {
    const feeds: Record<string, Tensor> = Object.fromEntries(state);
    for (const { name, shape } of parameters) feeds[`${name}_grad`] = float32(gradient[name]!, shape);
    for (const [input, at] of Object.entries(update.scalars)) feeds[input] = float32Scalar(at(step + 1));
    for (const [group, input] of update.rates) feeds[input] = float32Scalar(rates[step]![group]!);
    const outputs = await run(graph, feeds);
    for (const [input, output] of [...update.parameters, ...update.state]) state.set(input, outputs[output]!);
    for (const { name } of parameters) {
      push(result.values, name, state.get(name)!);
      const average = state.get(`${AVERAGE_SLOT}/${name}`);
      if (average !== undefined) push(result.averages, name, average);
    }
    result.norms.push(toNumbers(outputs[update.gradientNorm]!)[0]!);
  }
  return result;
}

function push(map: Map<string, number[][]>, name: string, value: Tensor): void {
  map.set(name, [...(map.get(name) ?? []), toNumbers(value)]);
}
