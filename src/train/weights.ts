import type { Tensor } from '../core/tensor.ts';
import { withInitializers } from '../onnx/compose.ts';
import type { Graph } from '../onnx/graph.ts';
import { slotName } from '../optim/transform.ts';
import { AVERAGE_SLOT } from '../optim/update.ts';
import type { TrainingState } from './checkpoint.ts';
import { isObjectiveState } from './objective.ts';

/** What a trained network differs in from the one it started as: parameters and running statistics by name. */
export type Weights = ReadonlyMap<string, Tensor>;

/** The weights that count: averaged where averages are kept. */
export function weightsOf({ parameters, buffers, optimizer }: TrainingState): Weights {
  const ofNetwork = [...parameters, ...buffers].filter(([name]) => !isObjectiveState(name));
  return new Map(ofNetwork.map(([name, value]) => [name, optimizer.get(slotName(AVERAGE_SLOT, name)) ?? value]));
}

/**
 * The graph with other values for some of its initializers.
 * @throws RangeError for a name the graph does not have, or a value of another shape.
 */
export function withWeights(graph: Graph, weights: Weights): Graph {
  return withInitializers(graph, weights);
}
