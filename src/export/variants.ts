import type { Tensor } from '../core/tensor.ts';
import type { Variant } from '../models/description.ts';
import { foldConstants } from '../onnx/fold.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Engine } from '../runtime/engine.ts';
import { bareModel, deployableModel, networkToOutputs, type DeployableParts, type ModelFile } from './deployable.ts';
import { toFloat16, type Float16Options } from './float16.ts';
import { toInt8 } from './int8.ts';

export interface VariantOptions {
  /** For int8: training crops, uint8 [n, h, w, 3], at least one; 100 to 200 of all classes will do. */
  readonly calibration?: Tensor;
  /** For float16: what the network computes in; default float32, with weights stored in half the space. */
  readonly compute?: Float16Options['compute'];
  readonly signal?: AbortSignal;
}

/** A form of the model: what is inside, and the file. */
export interface ModelVariant {
  readonly variant: Variant;
  /** The network inside: float32 in, logits out. */
  readonly network: Graph;
  readonly file: ModelFile;
}

/**
 * One form of a trained float32 classifier.
 * @throws ModelError where the parts do not fit together; RangeError for int8 without calibration crops
 */
export async function makeVariant(
  engine: Engine,
  parts: Omit<DeployableParts, 'variant'>,
  variant: Variant,
  options: VariantOptions = {},
): Promise<ModelVariant> {
  const network = networkToOutputs(parts);
  if (variant === 'float32') return { variant, network, file: deployableModel({ ...parts, variant }) };
  if (variant === 'bare') return { variant, network, file: bareModel(parts) };
  const changed = await changedNetwork(engine, network, parts, variant, options);
  const logits = network.outputs[0]!.name;
  return { variant, network: changed, file: deployableModel({ ...parts, logits, graph: changed, variant }) };
}

async function changedNetwork(
  engine: Engine,
  network: Graph,
  { preprocessing }: Omit<DeployableParts, 'variant'>,
  variant: 'float16' | 'int8',
  { calibration, compute = 'float32', signal }: VariantOptions,
): Promise<Graph> {
  if (variant === 'float16') return toFloat16(foldConstants(network, { keep: new Set() }), { compute });
  if (calibration === undefined) throw new RangeError('int8 needs training crops to be calibrated on.');
  const cancel = signal === undefined ? {} : { signal };
  return (await toInt8(engine, network, preprocessing, calibration, cancel)).graph;
}
