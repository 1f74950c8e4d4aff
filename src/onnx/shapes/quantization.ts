import type { DataType } from '../../core/tensor.ts';
import { attribute } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { dataTypeOfCode } from '../data-types.ts';
import { floatingAt, isPresent, requireSameDtype, typeAt } from './inputs.ts';
import { broadcastShapes } from './dimensions.ts';

/** Between floating and integer tensors. */

function declaredType(c: InferContext): DataType | undefined {
  return dataTypeOfCode(attribute(c.node, 'output_dtype', 'int', 0));
}

const quantize: InferRule = (c) => {
  const { shape } = typeAt(c, 0);
  const fromZeroPoint = isPresent(c, 2) ? typeAt(c, 2).dtype : undefined;
  return [{ dtype: fromZeroPoint ?? declaredType(c) ?? 'uint8', shape }];
};

const dequantize: InferRule = (c) => {
  if (isPresent(c, 2)) requireSameDtype(c, 0, 2);
  return [{ dtype: declaredType(c) ?? floatingAt(c, 1).dtype, shape: typeAt(c, 0).shape }];
};

export const quantizationRules: Readonly<Record<string, InferRule>> = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: (c) => [
    { dtype: 'uint8', shape: typeAt(c, 0).shape },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ],
};

const asFirst: InferRule = (c) => [typeAt(c, 0)];

/** A, its scale and zero point, B, its scale and zero point, the result's scale and zero point. */
const quantizedBinary: InferRule = (c) => [
  { dtype: typeAt(c, 0).dtype, shape: broadcastShapes([typeAt(c, 0).shape, typeAt(c, 3).shape], c) },
];

const quantizedGlobalPool: InferRule = (c) => {
  const { dtype, shape } = typeAt(c, 0);
  const last = attribute(c.node, 'channels_last', 'int', 0) === 1;
  const keeps = (axis: number, rank: number): boolean => axis === 0 || axis === (last ? rank - 1 : 1);
  return [{ dtype, shape: shape?.map((side, i) => (keeps(i, shape.length) ? side : 1)) }];
};

/** ONNX Runtime's quantized operators, in the domain com.microsoft. */
export const microsoftQuantizationRules: Readonly<Record<string, InferRule>> = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  QLinearAdd: quantizedBinary,
  QLinearMul: quantizedBinary,
  QLinearSigmoid: asFirst,
  QLinearLeakyRelu: asFirst,
  QLinearSoftmax: asFirst,
  QLinearGlobalAveragePool: quantizedGlobalPool,
};
