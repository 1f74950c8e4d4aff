import { attribute, type Shape, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { dataTypeOfCode } from '../data-types.ts';
import { sameSide } from './dimensions.ts';
import { floatingAt, normalizeAxis, requireRank, requireSameDtype, typeAt } from './inputs.ts';

/** Batch, instance, layer, group and root-mean-square normalisation. */

/** Y, then in training mode the running mean and variance, [C] each. */
const batchNormalization: InferRule = (c) => {
  const type = floatingAt(c, 0);
  requireRank(type.shape, 0, 2, Infinity);
  checkChannels(c, type.shape, [1, 2, 3, 4]);
  return [type, typeAt(c, 3), typeAt(c, 4)];
};

function checkChannels(c: InferContext, shape: Shape | undefined, indices: readonly number[]): void {
  for (const index of indices) {
    const other = typeAt(c, index).shape;
    requireRank(other, index, 1);
    if (shape !== undefined && other !== undefined)
      sameSide(shape[1]!, other[0]!, `the channels of input 0 [${shape}] and the length of input ${index}`);
  }
}

/** Y, mean and inverse standard deviation with the normalised axes kept as 1. */
const layerNormalization: InferRule = (c) => {
  const type = floatingAt(c, 0);
  const { shape } = type;
  requireSameDtype(c, 0, 1, 2);
  const stash = dataTypeOfCode(attribute(c.node, 'stash_type', 'int', 1)) ?? 'float32';
  if (shape === undefined) return [type, { dtype: stash, shape }, { dtype: stash, shape }];
  const axis = normalizeAxis(attribute(c.node, 'axis', 'int', -1), shape.length);
  const statistics: TensorType = { dtype: stash, shape: shape.map((side, i) => (i < axis ? side : 1)) };
  return [type, statistics, statistics];
};

const perChannel: InferRule = (c) => {
  const type = floatingAt(c, 0);
  requireRank(type.shape, 0, 3, Infinity);
  requireSameDtype(c, 0, 1, 2);
  checkChannels(c, type.shape, [1, 2]);
  return [type];
};

export const normalizationRules: Readonly<Record<string, InferRule>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  InstanceNormalization: perChannel,
  GroupNormalization: perChannel,
  RMSNormalization: (c) => {
    const type = floatingAt(c, 0);
    if (type.shape !== undefined) normalizeAxis(attribute(c.node, 'axis', 'int', -1), type.shape.length);
    return [type];
  },
};

/** input, skip, gamma, beta, bias -> Y, mean, inverse deviation, input + skip + bias. */
const skipNormalization: InferRule = (c) => {
  const type = floatingAt(c, 0);
  const statistics: TensorType = {
    dtype: 'float32',
    shape: type.shape === undefined ? undefined : [...type.shape.slice(0, -1), 1],
  };
  return [type, statistics, statistics, type];
};

/** ONNX Runtime's fused normalisations, in the domain com.microsoft. */
export const microsoftNormalizationRules: Readonly<Record<string, InferRule>> = {
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
};

/** Normalisations that ONNX Runtime keeps in ONNX's own domain without their being part of ONNX. */
export const engineNormalizationRules: Readonly<Record<string, InferRule>> = {
  SimplifiedLayerNormalization: layerNormalization,
};
