import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../onnx/graph.ts';
import { slotName } from '../optim/transform.ts';
import { AVERAGE_SLOT } from '../optim/update.ts';
import type { TrainingState } from './checkpoint.ts';

/** What a trained network differs in from the one it started as: parameters and running statistics by name. */
export type Weights = ReadonlyMap<string, Tensor>;

/** The weights that count: averaged where averages are kept. */
export function weightsOf({ parameters, buffers, optimizer }: TrainingState): Weights {
  return new Map(
    [...parameters, ...buffers].map(([name, value]) => [name, optimizer.get(slotName(AVERAGE_SLOT, name)) ?? value]),
  );
}

/**
 * The graph with other values for some of its initializers.
 * @throws RangeError for a name the graph does not have, or a value of another shape.
 */
export function withWeights(graph: Graph, weights: Weights): Graph {
  const initializers = new Map(graph.initializers);
  for (const [name, value] of weights) {
    const old = initializers.get(name);
    if (old === undefined) throw new RangeError(`Graph "${graph.name}" has no initializer "${name}".`);
    if (String(old.shape) !== String(value.shape))
      throw new RangeError(`"${name}" has the shape [${old.shape}], got a value of [${value.shape}].`);
    initializers.set(name, value);
  }
  return { ...graph, initializers };
}
