import type { InferContext, InferRule } from '../infer.ts';
import { attribute, type TensorType } from '../graph.ts';

/**
 * The abstract operators of `GRADIENT_DOMAIN`: gradients that ONNX has no operator for, and those
 * for which an engine has a faster form than the obvious one. `autodiff` emits them, `lowering`
 * replaces every one. Shapes are known (training graphs are built for one batch size).
 *
 * dY is the gradient of the loss with respect to the op's output Y, of Y's shape. "As Conv" means the
 * attributes kernel_shape, strides, pads, dilations and group, all present, auto_pad resolved.
 *
 * | op | inputs | attributes | result |
 * |---|---|---|---|
 * | ConvGradInput | dY, W | as Conv, input_shape | dX of input_shape |
 * | ConvGradWeight | dY, X | as Conv, weight_shape | dW |
 * | ChannelSum | dY [N, C, ...] | - | sum over all axes but 1: [C] (bias gradients) |
 * | ChannelDot | A, B [N, C, ...] | - | sum of A*B over all axes but 1: [C] |
 * | MaxPoolGrad | dY, X, Y | kernel_shape, strides, pads, dilations, ceil_mode | dX: each dY goes to the first maximum of its window, in row-major order |
 * | AveragePoolGrad | dY | kernel_shape, strides, pads, dilations, ceil_mode, count_include_pad, input_shape | dX |
 * | GlobalAveragePoolGrad | dY [N, C, 1, ...] | input_shape | dX: dY / (H*W), spread |
 * | ReluGrad | dY, Y | - | dY where Y > 0, else 0 |
 * | ClipGrad | dY, Y | min, max (floats; -inf, inf where open) | dY where min < Y < max, else 0. Y may be the clip's output or its input: the same elements pass |
 * | LeakyReluGrad | dY, X | alpha | dY where X > 0, else alpha * dY. X is the output instead where alpha >= 0: it has the same sign |
 * | HardSigmoidGrad | dY, Y | alpha | alpha * dY where 0 < Y < 1, else 0 |
 * | HardSwishGrad | dY, X | - | dY * (0 if X <= -3, 1 if X >= 3, else X/3 + 1/2) |
 * | BatchNormTraining | X, scale, bias | epsilon | Y, mean [C], variance [C] of this batch, biased (1/n) |
 * | BatchNormTrainingGrad | dY, X, scale, mean, variance | epsilon | dX, dscale, dbias |
 * | ResizeGrad | dY | as Resize less axes and keep_aspect_ratio_policy (both resolved), input_shape, scales (floats, one an axis) | dX of input_shape; never tf_crop_and_resize |
 * | GatherGrad | dY, indices | axis, input_shape | dX: dY added at indices, zero elsewhere |
 */
export const gradientRules: Readonly<Record<string, InferRule>> = {
  ConvGradInput: (c) => [like(c, 0, attribute(c.node, 'input_shape', 'ints'))],
  ConvGradWeight: (c) => [like(c, 0, attribute(c.node, 'weight_shape', 'ints'))],
  ChannelSum: (c) => [{ dtype: typeOf(c, 0).dtype, shape: channels(c) }],
  ChannelDot: (c) => [{ dtype: typeOf(c, 0).dtype, shape: channels(c) }],
  MaxPoolGrad: (c) => [typeOf(c, 1)],
  AveragePoolGrad: (c) => [like(c, 0, attribute(c.node, 'input_shape', 'ints'))],
  GlobalAveragePoolGrad: (c) => [like(c, 0, attribute(c.node, 'input_shape', 'ints'))],
  ReluGrad: (c) => [typeOf(c, 0)],
  ClipGrad: (c) => [typeOf(c, 0)],
  LeakyReluGrad: (c) => [typeOf(c, 0)],
  HardSigmoidGrad: (c) => [typeOf(c, 0)],
  HardSwishGrad: (c) => [typeOf(c, 0)],
  BatchNormTraining: (c) => [typeOf(c, 0), typeOf(c, 1), typeOf(c, 1)],
  BatchNormTrainingGrad: (c) => [typeOf(c, 1), typeOf(c, 2), typeOf(c, 2)],
  ResizeGrad: (c) => [like(c, 0, attribute(c.node, 'input_shape', 'ints'))],
  GatherGrad: (c) => [like(c, 0, attribute(c.node, 'input_shape', 'ints'))],
};

function typeOf(context: InferContext, index: number): TensorType {
  const type = context.inputs[index];
  if (type === undefined) throw new TypeError(`input ${index} is absent or its type unknown.`);
  return type;
}

function like(context: InferContext, index: number, shape: readonly number[]): TensorType {
  return { dtype: typeOf(context, index).dtype, shape };
}

function channels(context: InferContext): TensorType['shape'] {
  const { shape } = typeOf(context, 0);
  return shape === undefined ? undefined : shape.slice(1, 2);
}
