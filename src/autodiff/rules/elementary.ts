import { rule, unary, zero, type Differentiation } from '../rule.ts';

/** Functions of one number. The derivative stands above each rule; x is the input, y the output. */
export const elementary = {
  // d(-x) = -dx
  Neg: unary((c) => c.op('Neg', [c.dY])),
  // d|x| = sign(x) dx
  Abs: unary((c, x) => c.mul(c.dY, c.op('Sign', [x]))),
  // d(e^x) = y dx
  Exp: unary((c) => c.mul(c.dY, c.output(0))),
  // d(ln x) = dx / x
  Log: unary((c, x) => c.div(c.dY, x)),
  // d(√x) = dx / 2y
  Sqrt: unary((c) => c.div(c.scale(c.dY, 0.5), c.output(0))),
  // d(1/x) = -y² dx
  Reciprocal: unary((c) => c.op('Neg', [c.mul(c.dY, c.square(c.output(0)))])),
  // d(sin x) = cos x dx
  Sin: unary((c, x) => c.mul(c.dY, c.op('Cos', [x]))),
  // d(cos x) = -sin x dx
  Cos: unary((c, x) => c.op('Neg', [c.mul(c.dY, c.op('Sin', [x]))])),
  // d(tan x) = (1 + y²) dx
  Tan: unary((c) => c.mul(c.dY, c.add(c.scalar(1), c.square(c.output(0))))),
  // d(asin x) = dx / √(1 - x²)
  Asin: unary((c, x) => c.div(c.dY, c.op('Sqrt', [c.sub(c.scalar(1), c.square(x))]))),
  // d(acos x) = -dx / √(1 - x²)
  Acos: unary((c, x) => c.op('Neg', [c.div(c.dY, c.op('Sqrt', [c.sub(c.scalar(1), c.square(x))]))])),
  // d(atan x) = dx / (1 + x²)
  Atan: unary((c, x) => c.div(c.dY, c.add(c.scalar(1), c.square(x)))),
  // d(sinh x) = cosh x dx
  Sinh: unary((c, x) => c.mul(c.dY, c.op('Cosh', [x]))),
  // d(cosh x) = sinh x dx
  Cosh: unary((c, x) => c.mul(c.dY, c.op('Sinh', [x]))),
  // d(asinh x) = dx / √(x² + 1)
  Asinh: unary((c, x) => c.div(c.dY, c.op('Sqrt', [c.add(c.square(x), c.scalar(1))]))),
  // d(acosh x) = dx / √(x² - 1)
  Acosh: unary((c, x) => c.div(c.dY, c.op('Sqrt', [c.sub(c.square(x), c.scalar(1))]))),
  // d(atanh x) = dx / (1 - x²)
  Atanh: unary((c, x) => c.div(c.dY, c.sub(c.scalar(1), c.square(x)))),
  // d(erf x) = 2/√π e^(-x²) dx
  Erf: unary((c, x) => c.mul(c.dY, c.scale(c.op('Exp', [c.op('Neg', [c.square(x)])]), 2 / Math.sqrt(Math.PI)))),
  Identity: unary((c) => c.dY),
  // A cast between floating types; a cast to another type stops the gradient, because its output carries none.
  Cast: unary((c) => c.toFloat(c.dY)),
  CastLike: unary((c) => c.toFloat(c.dY)),
  Ceil: zero,
  Floor: zero,
  Round: zero,
  Sign: zero,
  // d(x mod y) = dx - trunc-or-floor(x / y) dy, the quotient being (x - (x mod y)) / y
  Mod: rule((c) => [
    () => c.dY,
    () => c.op('Neg', [c.mul(c.dY, c.op('Round', [c.div(c.sub(c.input(0), c.output(0)), c.input(1))]))]),
  ]),
} satisfies Record<string, Differentiation>;
