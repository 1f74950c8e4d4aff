import type { DataType } from '../../core/tensor.ts';
import { attribute, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { dataTypeOfCode } from '../data-types.ts';
import { broadcastShapes } from './dimensions.ts';
import { floatingAt, isPresent, requireDtype, requireSameDtype, typeAt } from './inputs.ts';

/** Operators that work element by element, with broadcasting where they have several inputs. */

const sameAsFirst: InferRule = (c) => [typeAt(c, 0)];
const floatingAsFirst: InferRule = (c) => [floatingAt(c, 0)];

const broadcast: InferRule = (c) => [{ dtype: requireSameDtype(c, ...c.node.inputs.keys()), shape: joined(c) }];

const comparison: InferRule = (c) => {
  requireSameDtype(c, 0, 1);
  return [{ dtype: 'bool', shape: joined(c) }];
};

const logical: InferRule = (c) => {
  requireDtype(c, 0, 'bool');
  requireDtype(c, 1, 'bool');
  return [{ dtype: 'bool', shape: joined(c) }];
};

const predicate: InferRule = (c) => [{ dtype: 'bool', shape: typeAt(c, 0).shape }];

function joined(c: InferContext): TensorType['shape'] {
  return broadcastShapes(
    c.node.inputs.map((_, i) => typeAt(c, i).shape),
    c,
  );
}

function castTarget(c: InferContext): DataType {
  const code = attribute(c.node, 'to', 'int');
  const dtype = dataTypeOfCode(code);
  if (dtype === undefined) throw new RangeError(`attribute "to" names data type ${code}, which is not supported.`);
  return dtype;
}

const floatingUnary = [
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'Ceil',
  'Celu',
  'Cos',
  'Cosh',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Hardmax',
  'LeakyRelu',
  'Log',
  'LogSoftmax',
  'MeanVarianceNormalization',
  'Mish',
  'Reciprocal',
  'Round',
  'Selu',
  'Shrink',
  'Sigmoid',
  'Sin',
  'Sinh',
  'Softmax',
  'Softplus',
  'Softsign',
  'Sqrt',
  'Swish',
  'Tan',
  'Tanh',
  'ThresholdedRelu',
] as const;

export const elementwiseRules: Readonly<Record<string, InferRule>> = {
  ...Object.fromEntries(floatingUnary.map((opType) => [opType, floatingAsFirst])),
  Abs: sameAsFirst,
  BitwiseNot: sameAsFirst,
  Identity: sameAsFirst,
  Neg: sameAsFirst,
  Relu: sameAsFirst,
  Sign: sameAsFirst,
  CumProd: sameAsFirst,
  CumSum: sameAsFirst,
  LRN: floatingAsFirst,
  LpNormalization: floatingAsFirst,
  Trilu: sameAsFirst,

  Add: broadcast,
  Sub: broadcast,
  Mul: broadcast,
  Div: broadcast,
  Mod: broadcast,
  BitShift: broadcast,
  BitwiseAnd: broadcast,
  BitwiseOr: broadcast,
  BitwiseXor: broadcast,
  Max: broadcast,
  Mean: broadcast,
  Min: broadcast,
  Sum: broadcast,
  // The exponent may have another type.
  Pow: (c) => [{ dtype: typeAt(c, 0).dtype, shape: joined(c) }],
  PRelu: (c) => {
    requireSameDtype(c, 0, 1);
    return [typeAt(c, 0)];
  },

  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  And: logical,
  Or: logical,
  Xor: logical,
  IsInf: predicate,
  IsNaN: predicate,
  Not: (c) => {
    requireDtype(c, 0, 'bool');
    return [typeAt(c, 0)];
  },

  Where: (c) => {
    requireDtype(c, 0, 'bool');
    return [{ dtype: requireSameDtype(c, 1, 2), shape: joined(c) }];
  },
  Clip: (c) => {
    requireSameDtype(c, 0, 1, 2);
    return [typeAt(c, 0)];
  },
  Cast: (c) => [{ dtype: castTarget(c), shape: typeAt(c, 0).shape }],
  CastLike: (c) => [{ dtype: typeAt(c, 1).dtype, shape: typeAt(c, 0).shape }],
  BitCast: (c) => [{ dtype: castTarget(c), shape: typeAt(c, 0).shape }],
  Dropout: (c) => [floatingAt(c, 0), { dtype: 'bool', shape: typeAt(c, 0).shape }],
  Bernoulli: (c) => {
    const code = attribute(c.node, 'dtype', 'int', 0);
    return [{ dtype: dataTypeOfCode(code) ?? typeAt(c, 0).dtype, shape: typeAt(c, 0).shape }];
  },
};

/** ONNX Runtime's fused activations, in the domain com.microsoft. */
export const microsoftElementwiseRules: Readonly<Record<string, InferRule>> = {
  BiasGelu: broadcast,
  BiasSplitGelu: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    const last = shape?.at(-1);
    const half = typeof last === 'number' ? last / 2 : c.unknownDim();
    return [{ dtype, shape: shape === undefined ? undefined : [...shape.slice(0, -1), half] }];
  },
  FastGelu: (c) => {
    if (isPresent(c, 1)) requireSameDtype(c, 0, 1);
    return [floatingAt(c, 0)];
  },
  Gelu: floatingAsFirst,
  QuickGelu: floatingAsFirst,
  BiasSoftmax: floatingAsFirst,
  BiasDropout: (c) => [floatingAt(c, 0), { dtype: 'bool', shape: typeAt(c, 0).shape }],
};
