import { ModelError } from '../core/errors.ts';
import { fromMetadata } from '../models/description.ts';
import { extract, rename } from '../onnx/compose.ts';
import type { Model } from '../onnx/graph.ts';

/** The value between preprocessing and network in a deployed file. */
const NORMALISED = 'preprocess/normalised';

/**
 * The network inside a classifier that Gleaner deployed, which takes decoded images: from its float32 input to its logits. Any
 * other model is returned as it is.
 * @throws ModelError where a file says that it is such a classifier and is none
 */
export function networkInside(model: Model, source: string): Model {
  const { graph, metadata } = model;
  if (graph.inputs[0]?.type.dtype !== 'uint8' || fromMetadata(metadata, source) === undefined) return model;
  if (!graph.types.has(NORMALISED) || !graph.types.has('logits'))
    throw new ModelError(`${source} says that Gleaner wrote it, and has no "${NORMALISED}" or no "logits" inside.`);
  const network = extract(graph, ['logits'], [NORMALISED]);
  return { ...model, graph: rename(network, new Map([[NORMALISED, 'input']])) };
}
