import { attribute } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import { map, reduce, wrapAxis, zip, type Value } from '../value.ts';
import { erf } from './elementwise.ts';

const unary =
  (f: (x: number) => number): Kernel =>
  ([x]) => [map(x!, f)];

/** A function of x and float attributes, given with their defaults. */
const parametric =
  (defaults: Readonly<Record<string, number>>, f: (x: number, p: Readonly<Record<string, number>>) => number): Kernel =>
  ([x], node) => {
    const parameters = Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [name, attribute(node, name, 'float', value)]),
    );
    return [map(x!, (v) => f(v, parameters))];
  };

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const withBias =
  (f: (x: number) => number): Kernel =>
  ([x, bias]) => [map(bias === undefined ? x! : zip(x!, bias, (a, b) => a + b), f)];

export const activations: Readonly<Record<string, Kernel>> = {
  Relu: unary((x) => Math.max(x, 0)),
  LeakyRelu: parametric({ alpha: 0.01 }, (x, p) => (x < 0 ? p['alpha']! * x : x)),
  PRelu: ([x, slope]) => [zip(x!, slope!, (v, s) => (v < 0 ? s * v : v))],
  Elu: parametric({ alpha: 1 }, (x, p) => (x < 0 ? p['alpha']! * Math.expm1(x) : x)),
  Selu: parametric({ alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 }, (x, p) =>
    x > 0 ? p['gamma']! * x : p['gamma']! * p['alpha']! * Math.expm1(x),
  ),
  Celu: parametric({ alpha: 1 }, (x, p) => Math.max(x, 0) + Math.min(0, p['alpha']! * Math.expm1(x / p['alpha']!))),
  ThresholdedRelu: parametric({ alpha: 1 }, (x, p) => (x > p['alpha']! ? x : 0)),
  Shrink: parametric({ lambd: 0.5, bias: 0 }, (x, p) =>
    x < -p['lambd']! ? x + p['bias']! : x > p['lambd']! ? x - p['bias']! : 0,
  ),
  Sigmoid: unary(sigmoid),
  HardSigmoid: parametric({ alpha: 0.2, beta: 0.5 }, (x, p) => Math.min(1, Math.max(0, p['alpha']! * x + p['beta']!))),
  HardSwish: unary((x) => x * Math.min(1, Math.max(0, x / 6 + 0.5))),
  Swish: parametric({ alpha: 1 }, (x, p) => x * sigmoid(p['alpha']! * x)),
  QuickGelu: parametric({ alpha: 1.702 }, (x, p) => x * sigmoid(p['alpha']! * x)),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  Softplus: unary(softplus),
  Softsign: unary((x) => x / (1 + Math.abs(x))),
  Tanh: unary(Math.tanh),
  Gelu: ([x], node) => [map(x!, attribute(node, 'approximate', 'string', 'none') === 'tanh' ? geluTanh : gelu)],
  FastGelu: withBias(geluTanh),
  BiasGelu: withBias(gelu),
  Clip: ([x, min, max]) => {
    const [low, high] = [min?.data[0] ?? -Infinity, max?.data[0] ?? Infinity];
    return [map(x!, (v) => Math.min(Math.max(v, low), high))];
  },
  Softmax: ([x], node) => [softmax(x!, attribute(node, 'axis', 'int', -1))],
  LogSoftmax: ([x], node) => [logSoftmax(x!, attribute(node, 'axis', 'int', -1))],
};

export function softmax(x: Value, axis: number): Value {
  return map(logSoftmax(x, axis), Math.exp);
}

function logSoftmax(x: Value, axis: number): Value {
  const axes = [wrapAxis(axis, x.shape.length)];
  const shifted = zip(x, reduce(x, axes, -Infinity, Math.max), (v, top) => v - top);
  const total = reduce(map(shifted, Math.exp), axes, 0, (a, b) => a + b);
  return zip(shifted, total, (v, t) => v - Math.log(t));
}
