import { GRADIENT_DOMAIN, attribute, float } from '../../onnx/graph.ts';
import { toNumbers } from '../../core/tensor.ts';
import { decomposed, rule, unary, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';

const { PI, SQRT2 } = Math;

/** Activations. The derivative stands above each rule; x is the input, y the output. */
export const activations = {
  // d relu = dx where y > 0
  Relu: unary((c) => c.op('ReluGrad', [c.dY, c.output(0)], {}, GRADIENT_DOMAIN)),
  // d leaky = dx where x > 0, else α dx. With α >= 0, y has the sign of x and need not be kept beside it.
  LeakyRelu: unary((c, x) => {
    const alpha = attribute(c.node, 'alpha', 'float', 0.01);
    return c.op('LeakyReluGrad', [c.dY, alpha >= 0 ? c.output(0) : x], { alpha: float(alpha) }, GRADIENT_DOMAIN);
  }),
  // y = max(x, 0) + s min(x, 0): dx = dy where x > 0, else s dy; ds = min(x, 0) dy
  PRelu: rule((c) => [
    () => {
      const positive = c.mask('Greater', c.input(0), c.scalar(0));
      const slope = c.mul(c.input(1), c.sub(c.scalar(1), positive));
      return c.mul(c.dY, c.add(positive, slope));
    },
    () => c.mul(c.dY, c.op('Min', [c.input(0), c.scalar(0)])),
  ]),
  // d elu = dx where x > 0, else α e^x dx
  Elu: unary((c, x) => exponentialUnit(c, x, attribute(c.node, 'alpha', 'float', 1), 1, 1)),
  // d selu = γ dx where x > 0, else γ α e^x dx
  Selu: unary((c, x) => {
    const alpha = attribute(c.node, 'alpha', 'float', 1.67326319217681884765625);
    return exponentialUnit(c, x, alpha, attribute(c.node, 'gamma', 'float', 1.05070102214813232421875), 1);
  }),
  // d celu = dx where x > 0, else e^(x/α) dx
  Celu: unary((c, x) => exponentialUnit(c, x, 1, 1, attribute(c.node, 'alpha', 'float', 1))),
  // d thresholded = dx where x > α
  ThresholdedRelu: unary((c, x) => c.mul(c.dY, c.mask('Greater', x, c.scalar(attribute(c.node, 'alpha', 'float', 1))))),
  // d shrink = dx where |x| > λ
  Shrink: unary((c, x) =>
    c.mul(c.dY, c.mask('Greater', c.op('Abs', [x]), c.scalar(attribute(c.node, 'lambd', 'float', 0.5)))),
  ),
  // d σ = y (1 - y) dx
  Sigmoid: unary((c) => c.mul(c.dY, c.mul(c.output(0), c.sub(c.scalar(1), c.output(0))))),
  // d hardsigmoid = α dx where 0 < y < 1
  HardSigmoid: unary((c) =>
    c.op(
      'HardSigmoidGrad',
      [c.dY, c.output(0)],
      { alpha: float(attribute(c.node, 'alpha', 'float', 0.2)) },
      GRADIENT_DOMAIN,
    ),
  ),
  // d hardswish = (0 if x <= -3, 1 if x >= 3, else x/3 + 1/2) dx
  HardSwish: unary((c, x) => c.op('HardSwishGrad', [c.dY, x], {}, GRADIENT_DOMAIN)),
  // d(x σ(αx)) = (σ + α y (1 - σ)) dx
  Swish: unary((c, x) => swishGradient(c, x, attribute(c.node, 'alpha', 'float', 1))),
  // m = tanh(softplus x): d(x m) = (m + x (1 - m²) σ(x)) dx
  Mish: unary((c, x) => {
    const m = c.op('Tanh', [c.op('Softplus', [x])]);
    const inner = c.mul(c.mul(x, c.sub(c.scalar(1), c.square(m))), c.op('Sigmoid', [x]));
    return c.mul(c.dY, c.add(m, inner));
  }),
  // d ln(1 + e^x) = σ(x) dx
  Softplus: unary((c, x) => c.mul(c.dY, c.op('Sigmoid', [x]))),
  // d(x / (1 + |x|)) = dx / (1 + |x|)²
  Softsign: unary((c, x) => c.div(c.dY, c.square(c.add(c.scalar(1), c.op('Abs', [x]))))),
  // d tanh = (1 - y²) dx
  Tanh: unary((c) => c.mul(c.dY, c.sub(c.scalar(1), c.square(c.output(0))))),
  Gelu: unary((c, x) =>
    attribute(c.node, 'approximate', 'string', 'none') === 'tanh' ? geluTanhGradient(c, x) : geluGradient(c, x),
  ),
  // d clip = dx where min < x < max, which is where min < y < max
  Clip: rule((c) => [
    () => clipGradient(c),
    // the bound itself moves where it holds
    () => c.mul(c.dY, c.mask('Less', c.input(0), c.input(1))),
    () => c.mul(c.dY, c.mask('Greater', c.input(0), c.input(2))),
  ]),
  // The rows of softmax sum to 1: dx = y (dy - Σ dy y)
  Softmax: unary((c) => {
    const axis = attribute(c.node, 'axis', 'int', -1);
    const weighted = c.mul(c.dY, c.output(0));
    return c.sub(weighted, c.mul(c.output(0), c.reduce('ReduceSum', weighted, [axis])));
  }),
  // dx = dy - e^y Σ dy
  LogSoftmax: unary((c) => {
    const axis = attribute(c.node, 'axis', 'int', -1);
    return c.sub(c.dY, c.mul(c.op('Exp', [c.output(0)]), c.reduce('ReduceSum', c.dY, [axis])));
  }),
} satisfies Record<string, Differentiation>;

/** ONNX Runtime's fused forms of the same. */
export const fusedActivations = {
  Gelu: unary((c, x) => geluGradient(c, x)),
  // d(x σ(αx)) = (σ + α y (1 - σ)) dx
  QuickGelu: unary((c, x) => swishGradient(c, x, attribute(c.node, 'alpha', 'float', 1.702))),
  // tanh-form GELU of x + bias
  FastGelu: decomposed((c) => [c.op('Gelu', [withBias(c)], { approximate: 'tanh' })]),
  // GELU of x + bias
  BiasGelu: decomposed((c) => [c.op('Gelu', [withBias(c)])]),
} satisfies Record<string, Differentiation>;

function withBias(c: OpContext): string {
  const bias = c.optional(1);
  return bias === undefined ? c.input(0) : c.add(c.input(0), bias);
}

/** outer·dy where x > 0, else outer·alpha·e^(x/width)·dy. */
function exponentialUnit(c: RuleContext, x: string, alpha: number, outer: number, width: number): string {
  const positive = c.mask('Greater', x, c.scalar(0));
  const negative = c.sub(c.scalar(1), positive);
  const exponent = c.scale(c.op('Min', [x, c.scalar(0)]), 1 / width);
  const slope = c.add(positive, c.mul(negative, c.scale(c.op('Exp', [exponent]), alpha)));
  return c.mul(c.dY, c.scale(slope, outer));
}

function swishGradient(c: RuleContext, x: string, alpha: number): string {
  const sigmoid = c.op('Sigmoid', [c.scale(x, alpha)]);
  const rest = c.mul(c.scale(c.output(0), alpha), c.sub(c.scalar(1), sigmoid));
  return c.mul(c.dY, c.add(sigmoid, rest));
}

// Φ(x) = (1 + erf u) / 2 and φ(x) = e^(-u² - ln √(2π)) with u = x/√2: d(x Φ) = (Φ + x φ) dx
function geluGradient(c: RuleContext, x: string): string {
  const u = c.scale(x, 1 / SQRT2);
  // erf lies within -1..1, where this is (1 + erf) / 2 in one pass.
  const cdf = c.op('HardSigmoid', [c.op('Erf', [u])], { alpha: float(0.5), beta: float(0.5) });
  const density = c.op('Exp', [c.sub(c.scalar(-Math.log(2 * PI) / 2), c.square(u))]);
  return c.mul(c.dY, c.add(cdf, c.mul(x, density)));
}

// u = √(2/π) (x + 0.044715 x³), t = tanh u: d(x (1 + t) / 2) = ((1 + t) / 2 + x (1 - t²) u' / 2) dx
function geluTanhGradient(c: RuleContext, x: string): string {
  const slope = Math.sqrt(2 / PI);
  const squared = c.square(x);
  const u = c.mul(c.scale(x, slope), c.add(c.scalar(1), c.scale(squared, 0.044715)));
  const t = c.op('Tanh', [u]);
  const derivative = c.scale(c.add(c.scalar(1), c.scale(squared, 3 * 0.044715)), slope);
  const inner = c.mul(c.mul(x, c.sub(c.scalar(1), c.square(t))), derivative);
  return c.mul(c.dY, c.scale(c.add(c.add(c.scalar(1), t), inner), 0.5));
}

function clipGradient(c: RuleContext): string {
  const min = bound(c, 1, -Infinity);
  const max = bound(c, 2, Infinity);
  if (min !== undefined && max !== undefined)
    return c.op('ClipGrad', [c.dY, c.output(0)], { min: float(min), max: float(max) }, GRADIENT_DOMAIN);
  // Bounds computed in the run.
  let result = c.dY;
  if (c.optional(1) !== undefined) result = c.mul(result, c.mask('Greater', c.input(0), c.input(1)));
  if (c.optional(2) !== undefined) result = c.mul(result, c.mask('Less', c.input(0), c.input(2)));
  return result;
}

function bound(c: RuleContext, index: number, open: number): number | undefined {
  const name = c.optional(index);
  if (name === undefined) return open;
  const value = c.builder.constantValue(name);
  return value === undefined ? undefined : toNumbers(value)[0];
}
