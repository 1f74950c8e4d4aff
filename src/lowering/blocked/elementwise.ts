import { attribute, type Node } from '../../onnx/graph.ts';

/**
 * Ops that treat every element on its own, and what they make of the zeros that pad channels:
 * `zero` (they stay), `finite` (they become some other number, to be cleared before it is counted), or
 * nothing that could be cleared (then padded tensors are left to the plain layout).
 */
export type AtZero = 'zero' | 'finite' | 'undefined';

const ZERO: ReadonlySet<string> = new Set(
  (
    'Identity Neg Abs Sign Sqrt Floor Ceil Round Sin Tan Sinh ' +
    'Tanh Asinh Atan Asin Atanh Erf Relu LeakyRelu PRelu Elu Selu ' +
    'Celu ThresholdedRelu HardSwish Swish Mish Softsign Gelu FastGelu QuickGelu Shrink ReluGrad ' +
    'ClipGrad LeakyReluGrad HardSigmoidGrad HardSwishGrad'
  ).split(' '),
);
const FINITE: ReadonlySet<string> = new Set([
  'Exp',
  'Cos',
  'Cosh',
  'Acos',
  'Sigmoid',
  'HardSigmoid',
  'Softplus',
  'Clip',
]);
const COMBINING: ReadonlySet<string> = new Set(['Add', 'Sub', 'Sum', 'Max', 'Min', 'Mean', 'Mul', 'Div', 'Pow']);

export function isElementwise(node: Node): boolean {
  return ZERO.has(node.opType) || FINITE.has(node.opType) || COMBINING.has(node.opType);
}

/**
 * What becomes of padded zeros. `clean` says of each input whether it is zero there (an operand that is
 * broadcast along channels is not); `constant` gives inputs that are known numbers.
 */
export function atZero(node: Node, clean: readonly boolean[], constant: (input: number) => number | undefined): AtZero {
  const all = clean.every(Boolean);
  switch (node.opType) {
    case 'Add':
    case 'Sub':
    case 'Sum':
    case 'Max':
    case 'Min':
    case 'Mean':
      return all ? 'zero' : 'finite';
    case 'Mul':
      return clean.some(Boolean) ? 'zero' : 'finite';
    case 'Div':
      return constant(1) !== undefined && constant(1) !== 0 ? (clean[0] ? 'zero' : 'finite') : 'undefined';
    case 'Pow':
      return (constant(1) ?? 0) > 0 ? (clean[0] ? 'zero' : 'finite') : 'undefined';
    case 'Clip': {
      const [min, max] = [constant(1) ?? -Infinity, constant(2) ?? Infinity];
      return clean[0] && min <= 0 && max >= 0 ? 'zero' : 'finite';
    }
    case 'HardSigmoid':
      return clean[0] && attribute(node, 'beta', 'float', 0.5) <= 0 && attribute(node, 'alpha', 'float', 0.2) >= 0
        ? 'zero'
        : 'finite';
    default:
      if (FINITE.has(node.opType)) return 'finite';
      if (!ZERO.has(node.opType)) return 'undefined';
      // Gradients are zero where dY is, the others where their input is.
      return clean[0] ? 'zero' : 'finite';
  }
}
