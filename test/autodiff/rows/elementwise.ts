import { float } from '../../../src/onnx/graph.ts';
import { bools, between, float64, microsoft, row, scalar, X, type Row } from './row.ts';

/** Rows of ops of one input and no attributes. */
export const elementary: Row[] = [
  ...['Neg', 'Abs', 'Exp', 'Sin', 'Cos', 'Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Erf', 'Identity'].map((op) =>
    row(op, 'any number', [[2, 3]]),
  ),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => row(op, 'positive numbers', [between(0.3, 3)])),
  ...['Asin', 'Acos', 'Atanh'].map((op) => row(op, 'inside ±1', [between(-0.8, 0.8)])),
  row('Acosh', 'above 1', [between(1.2, 3)]),
  row('CastLike', 'the same type', [[2, 3], float64([1])]),
  row('Dropout', 'in inference', [[2, 3]]),
  row('Cast', 'to float64', [[2, 3]], { to: 11 }),
  row('Mod', 'fmod', [between(0.1, 5), between(0.7, 0.9)], { fmod: 1 }),
];

export const activations: Row[] = [
  ...['Relu', 'HardSwish', 'Mish', 'Softplus', 'Softsign', 'Tanh', 'Sigmoid', 'Gelu'].map((op) =>
    row(op, 'default', [between(-4, 4, [4, 5])]),
  ),
  row('Gelu', 'tanh', [between(-4, 4, [4, 5])], { approximate: 'tanh' }),
  row('LeakyRelu', 'alpha 0.2', [[4, 5]], { alpha: float(0.2) }),
  row('LeakyRelu', 'negative alpha', [[4, 5]], { alpha: float(-0.3) }),
  row('PRelu', 'a slope a channel', [X, [3, 1, 1]]),
  row('PRelu', 'one slope', [X, [1]]),
  row('Elu', 'alpha 1.5', [[4, 5]], { alpha: float(1.5) }),
  row('Selu', 'default', [[4, 5]]),
  row('Celu', 'alpha 2', [[4, 5]], { alpha: float(2) }),
  row('ThresholdedRelu', 'alpha 0.5', [[4, 5]], { alpha: float(0.5) }),
  row('Shrink', 'lambd 0.4, bias 0.2', [[4, 5]], { lambd: float(0.4), bias: float(0.2) }),
  row('HardSigmoid', 'default', [between(-4, 4, [4, 5])]),
  row('HardSigmoid', 'as PyTorch', [between(-4, 4, [4, 5])], { alpha: float(1 / 6), beta: float(0.5) }),
  row('Swish', 'alpha 1', [[4, 5]]),
  row('Swish', 'alpha 1.3', [[4, 5]], { alpha: float(1.3) }),
  row('Clip', 'both bounds', [between(-4, 4, [4, 5]), scalar(-1), scalar(2)]),
  row('Clip', 'upper bound', [between(-4, 4, [4, 5]), undefined, scalar(1)]),
  row('Clip', 'bounds that are computed', [between(-4, 4, [4, 5]), between(-2, -1, []), between(1, 2, [])]),
  row('Softmax', 'last axis', [[3, 4]]),
  row('Softmax', 'axis 1', [[2, 3, 4]], { axis: 1 }),
  row('LogSoftmax', 'last axis', [[3, 4]]),
  row('LogSoftmax', 'axis 0', [[3, 4]], { axis: 0 }),
  row('Gelu', 'ONNX Runtime', [[4, 5]], {}, microsoft),
  row('QuickGelu', 'default', [[4, 5]], {}, microsoft),
  row('FastGelu', 'with bias', [[4, 5], [5]], {}, microsoft),
  row('FastGelu', 'without bias', [[4, 5]], {}, microsoft),
  row('BiasGelu', 'default', [[4, 5], [5]], {}, microsoft),
];

export const arithmetic: Row[] = [
  ...['Add', 'Sub', 'Mul'].flatMap((op) => [
    row(op, 'same shape', [X, X]),
    row(op, 'a number a channel', [X, [3, 1, 1]]),
    row(op, 'a number a channel of rank 4', [[1, 3, 1, 1], X]),
    row(op, 'a number an image and channel', [X, [2, 3, 1, 1]]),
    row(op, 'last axis', [[2, 4, 5], [5]]),
    row(op, 'scalar', [[], [2, 3]]),
    row(op, 'both broadcast', [
      [3, 1],
      [2, 1, 4],
    ]),
  ]),
  row('Div', 'same shape', [[2, 3], between(0.5, 2)]),
  row('Div', 'broadcast', [X, between(0.5, 2, [3, 1, 1])]),
  row('Pow', 'square', [[2, 3], scalar(2)]),
  row('Pow', 'cube', [[2, 3], scalar(3)]),
  row('Pow', 'root', [between(0.5, 2), scalar(0.5)]),
  row('Pow', 'first', [[2, 3], scalar(1)]),
  row('Pow', 'other constant', [between(0.5, 2), scalar(-1.5)]),
  row('Pow', 'by the exponent', [between(0.5, 2), [3]]),
  row('Max', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Min', 'two', [
    [2, 3],
    [2, 3],
  ]),
  row('Max', 'one', [[2, 3]]),
  row('Sum', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Mean', 'three, broadcast', [[2, 3], [3], [2, 1]]),
  row('Where', 'broadcast', [bools([1, 0, 1], [3]), [2, 3], [2, 1]]),
];
