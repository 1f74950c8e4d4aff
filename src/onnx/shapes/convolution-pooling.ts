import { attribute, type Dim, type Shape, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { mapSide, sameSide } from './dimensions.ts';
import { floatingAt, isPresent, requireRank, requireSameDtype, sidesAt, typeAt, unknownSides } from './inputs.ts';
import { kernelOf, slide, windowOf } from './windows.ts';

/** [N, C, ...] and [O, C / group, ...] -> [N, O, ...]; `x` and `w` are the positions of the two inputs. */
function convolution(c: InferContext, x: number, w: number, dtype: TensorType['dtype']): TensorType[] {
  const input = typeAt(c, x).shape;
  const weight = typeAt(c, w).shape;
  requireRank(input, x, 3, Infinity);
  requireRank(weight, w, 3, Infinity);
  if (input === undefined || weight === undefined) return [{ dtype, shape: undefined }];
  if (input.length !== weight.length)
    throw new RangeError(`input [${input}] and weight [${weight}] must have one rank.`);
  const group = attribute(c.node, 'group', 'int', 1);
  checkChannels(input[1]!, weight, group);
  const kernel = kernelOf(c.node, weight.slice(2));
  const spatial = kernel ? slide(windowOf(c.node, kernel), input.slice(2), c) : unknownSides(c, input.length - 2);
  return [{ dtype, shape: [input[0]!, weight[0]!, ...spatial] }];
}

function checkChannels(channels: Dim, weight: Shape, group: number): void {
  const perGroup = weight[1]!;
  if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * group)
    throw new RangeError(
      `the input has ${channels} channels, the weight [${weight}] with group ${group} takes ${perGroup * group}.`,
    );
  if (typeof weight[0] === 'number' && weight[0] % group !== 0)
    throw new RangeError(`${weight[0]} output channels do not divide into ${group} groups.`);
}

const conv: InferRule = (c) => {
  floatingAt(c, 0);
  const dtype = requireSameDtype(c, 0, 1, 2);
  if (isPresent(c, 2)) checkBias(c, 2, typeAt(c, 1).shape?.[0]);
  return convolution(c, 0, 1, dtype);
};

function checkBias(c: InferContext, index: number, channels: Dim | undefined): void {
  const { shape } = typeAt(c, index);
  requireRank(shape, index, 1);
  if (shape !== undefined && channels !== undefined) sameSide(shape[0]!, channels, 'bias and output channels');
}

/** [N, C, ...] and [C, O / group, ...] -> [N, O, ...], sides (in - 1) * stride - pads + extent + output_padding. */
const convTranspose: InferRule = (c) => {
  const dtype = requireSameDtype(c, 0, 1, 2);
  const input = typeAt(c, 0).shape;
  const weight = typeAt(c, 1).shape;
  requireRank(input, 0, 3, Infinity);
  requireRank(weight, 1, 3, Infinity);
  if (input === undefined || weight === undefined) return [{ dtype, shape: undefined }];
  sameSide(input[1]!, weight[0]!, 'input channels and weight rows');
  const group = attribute(c.node, 'group', 'int', 1);
  const channels = mapSide(weight[1]!, (side) => side * group, c);
  const rank = input.length - 2;
  const kernel = kernelOf(c.node, weight.slice(2));
  if (kernel === undefined) return [{ dtype, shape: [input[0]!, channels, ...unknownSides(c, rank)] }];
  const window = windowOf(c.node, kernel);
  const asked = attribute(c.node, 'output_shape', 'ints', []);
  const zeros = Array.from({ length: rank }, () => 0);
  const extra = attribute(c.node, 'output_padding', 'ints', zeros);
  const spatial = input.slice(2).map((side, i) => {
    if (asked.length > 0) return asked.at(i - rank)!;
    const extent = (kernel[i]! - 1) * window.dilations[i]! + 1;
    const { pads, strides } = window;
    return mapSide(
      side,
      (value) =>
        pads === undefined
          ? value * strides[i]!
          : (value - 1) * strides[i]! + extra[i]! + extent - pads[i]! - pads[i + rank]!,
      c,
    );
  });
  return [{ dtype, shape: [input[0]!, channels, ...spatial] }];
};

function pooled(c: InferContext): TensorType {
  const { dtype, shape } = typeAt(c, 0);
  requireRank(shape, 0, 3, Infinity);
  if (shape === undefined) return { dtype, shape };
  const window = windowOf(c.node, attribute(c.node, 'kernel_shape', 'ints'));
  return { dtype, shape: [...shape.slice(0, 2), ...slide(window, shape.slice(2), c)] };
}

const globalPool: InferRule = (c) => {
  const { dtype, shape } = floatingAt(c, 0);
  requireRank(shape, 0, 2, Infinity);
  return [{ dtype, shape: shape?.map((side, i) => (i < 2 ? side : 1)) }];
};

export const convolutionPoolingRules: Readonly<Record<string, InferRule>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: (c) => convolution(c, 0, 1, 'int32'),
  QLinearConv: (c) => convolution(c, 0, 3, typeAt(c, 7).dtype),
  DeformConv: (c) => convolution(c, 0, 1, typeAt(c, 0).dtype),
  MaxPool: (c) => {
    const type = pooled(c);
    return [type, { dtype: 'int64', shape: type.shape }];
  },
  AveragePool: (c) => [pooled(c)],
  LpPool: (c) => [pooled(c)],
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  MaxUnpool: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    const asked = sidesAt(c, 2);
    if (asked !== undefined) return [{ dtype, shape: asked }];
    return [
      { dtype, shape: shape === undefined ? undefined : [...shape.slice(0, 2), ...unknownSides(c, shape.length - 2)] },
    ];
  },
  MaxRoiPool: (c) => {
    const [rois, channels] = [typeAt(c, 1).shape?.[0] ?? c.unknownDim(), typeAt(c, 0).shape?.[1] ?? c.unknownDim()];
    return [{ dtype: typeAt(c, 0).dtype, shape: [rois, channels, ...attribute(c.node, 'pooled_shape', 'ints')] }];
  },
  RoiAlign: (c) => {
    const [rois, channels] = [typeAt(c, 1).shape?.[0] ?? c.unknownDim(), typeAt(c, 0).shape?.[1] ?? c.unknownDim()];
    const sides = [attribute(c.node, 'output_height', 'int', 1), attribute(c.node, 'output_width', 'int', 1)];
    return [{ dtype: typeAt(c, 0).dtype, shape: [rois, channels, ...sides] }];
  },
  Col2Im: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    const image = sidesAt(c, 1);
    const block = sidesAt(c, 2);
    if (shape === undefined || image === undefined || block === undefined) return [{ dtype, shape: undefined }];
    const area = block.reduce<number>((product, side) => product * Number(side), 1);
    return [{ dtype, shape: [shape[0]!, mapSide(shape[1]!, (side) => side / area, c), ...image] }];
  },
};

/** ONNX Runtime's convolutions with a fused activation, in the domain com.microsoft. */
export const microsoftConvolutionRules: Readonly<Record<string, InferRule>> = {
  FusedConv: conv,
};
