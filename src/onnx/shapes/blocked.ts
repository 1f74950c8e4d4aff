import { attribute, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { mapSide } from './dimensions.ts';
import { isPresent, requireDtype, requireRank, requireSameDtype, typeAt } from './inputs.ts';
import { slide, windowOf } from './windows.ts';

/**
 * The domain com.microsoft.nchwc: operators of ONNX Runtime's CPU engine on tensors whose channels
 * are stored in blocks. A tensor's shape is that of the plain layout, [N, C, H, W], with C padded to
 * whole blocks; weights lie in the blocked order under their plain, padded shape.
 */

const conv: InferRule = (c) => {
  requireDtype(c, 0, 'float32');
  const dtype = requireSameDtype(c, 0, 1, 2, 3);
  const input = typeAt(c, 0).shape;
  const weight = typeAt(c, 1).shape;
  requireRank(input, 0, 4);
  requireRank(weight, 1, 4);
  if (input === undefined || weight === undefined) return [{ dtype, shape: undefined }];
  // The weight's sides are those of its storage: only the attribute says what the kernel is.
  const kernel = attribute(c.node, 'kernel_shape', 'ints', weight.slice(2).map(Number));
  const spatial = slide(windowOf(c.node, kernel), input.slice(2), c);
  const shape = [input[0]!, weight[0]!, ...spatial];
  if (isPresent(c, 3)) checkSum(typeAt(c, 3), shape);
  return [{ dtype, shape }];
};

function checkSum(sum: TensorType, shape: TensorType['shape']): void {
  const wrong = sum.shape?.some(
    (side, i) => typeof side === 'number' && typeof shape?.[i] === 'number' && side !== shape[i],
  );
  if (wrong)
    throw new RangeError(`input 3 is added to the result [${shape}] and must have its shape, got [${sum.shape}].`);
}

function pooled(c: InferContext): TensorType {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 4);
  if (shape === undefined) return { dtype, shape };
  const window = windowOf(c.node, attribute(c.node, 'kernel_shape', 'ints'));
  return { dtype, shape: [...shape.slice(0, 2), ...slide(window, shape.slice(2), c)] };
}

const globalPool: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 4);
  return [{ dtype, shape: shape === undefined ? undefined : [...shape.slice(0, 2), 1, 1] }];
};

export const blockedRules: Readonly<Record<string, InferRule>> = {
  Conv: conv,
  MaxPool: (c) => [pooled(c)],
  AveragePool: (c) => [pooled(c)],
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  // Pads the channels to whole blocks of a width that only the engine knows: 16 or 8. Callers give
  // it channels that are already whole blocks.
  ReorderInput: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    requireRank(shape, 0, 4);
    if (shape === undefined || attribute(c.node, 'channels_last', 'int', 0) === 0) return [{ dtype, shape }];
    return [{ dtype, shape: [shape[0]!, shape[3]!, shape[1]!, shape[2]!] }];
  },
  ReorderOutput: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    requireRank(shape, 0, 4);
    if (shape === undefined) return [{ dtype, shape }];
    const channels = attribute(c.node, 'channels', 'int');
    const last = attribute(c.node, 'channels_last', 'int', 0) === 1;
    const spatial = shape.slice(2);
    return [{ dtype, shape: last ? [shape[0]!, ...spatial, channels] : [shape[0]!, channels, ...spatial] }];
  },
  Upsample: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    const scales = attribute(c.node, 'scales', 'ints');
    return [{ dtype, shape: shape?.map((side, i) => mapSide(side, (value) => value * scales[i]!, c)) }];
  },
};
