import { attribute } from '../../../src/onnx/graph.ts';
import type { DataType } from '../../../src/core/tensor.ts';
import type { Kernel } from '../interpreter.ts';
import { broadcast, broadcastShape, isFloat, make, map, zip, type Value } from '../value.ts';

const unary =
  (f: (x: number) => number): Kernel =>
  ([x]) => [map(x!, f)];

const binary =
  (f: (x: number, y: number) => number): Kernel =>
  ([a, b]) => [zip(a!, b!, f)];

const comparison =
  (f: (x: number, y: number) => boolean): Kernel =>
  ([a, b]) => [zip(a!, b!, (x, y) => (f(x, y) ? 1 : 0), 'bool')];

const fold =
  (f: (x: number, y: number) => number, finish: (x: number, count: number) => number = (x) => x): Kernel =>
  (inputs) => {
    const total = (inputs as Value[]).reduce((a, b) => zip(a, b, f));
    return [map(total, (x) => finish(x, inputs.length))];
  };

const TYPE_OF: Readonly<Record<number, DataType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
};

export const elementwise: Readonly<Record<string, Kernel>> = {
  Abs: unary(Math.abs),
  Neg: unary((x) => -x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),
  Erf: unary(erf),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(roundHalfEven),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  Identity: ([x]) => [x!],
  Dropout: ([x]) => [
    x!,
    make(
      { dtype: 'bool' },
      x!.shape,
      x!.data.map(() => 1),
    ),
  ],
  Add: binary((x, y) => x + y),
  Sub: binary((x, y) => x - y),
  Mul: binary((x, y) => x * y),
  Div: ([a, b]) => [zip(a!, b!, isFloat(a!) ? (x, y) => x / y : (x, y) => Math.trunc(x / y))],
  Pow: binary(Math.pow),
  Mod: ([a, b], node) => [
    zip(a!, b!, attribute(node, 'fmod', 'int', 0) === 1 ? (x, y) => x % y : (x, y) => x - y * Math.floor(x / y)),
  ],
  And: comparison((x, y) => x !== 0 && y !== 0),
  Or: comparison((x, y) => x !== 0 || y !== 0),
  Equal: comparison((x, y) => x === y),
  Greater: comparison((x, y) => x > y),
  GreaterOrEqual: comparison((x, y) => x >= y),
  Less: comparison((x, y) => x < y),
  LessOrEqual: comparison((x, y) => x <= y),
  Sum: fold((x, y) => x + y),
  Mean: fold(
    (x, y) => x + y,
    (x, count) => x / count,
  ),
  Max: fold(Math.max),
  Min: fold(Math.min),
  Where: ([condition, a, b]) => {
    const shape = broadcastShape(condition!.shape, a!.shape, b!.shape);
    const [chosen, left, right] = [condition!, a!, b!].map((value) => broadcast(value, shape).data);
    return [
      make(
        a!,
        shape,
        left!.map((x, i) => (chosen![i] === 0 ? right![i]! : x)),
      ),
    ];
  },
  Cast: ([x], node) => [cast(x!, TYPE_OF[attribute(node, 'to', 'int')] ?? 'float32')],
  CastLike: ([x, like]) => [cast(x!, like!.dtype)],
};

function cast(x: Value, dtype: DataType): Value {
  if (dtype === 'bool') return { ...x, dtype, data: x.data.map((v) => (v === 0 ? 0 : 1)) };
  return isFloat({ dtype }) ? { ...x, dtype } : { ...x, dtype, data: x.data.map(Math.trunc) };
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

/** The error function to float64's precision: Maclaurin series near 0, continued fraction of erfc beyond. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  if (magnitude < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (magnitude + fraction);
  const complement = Math.exp(-magnitude * magnitude) / (Math.sqrt(Math.PI) * (magnitude + fraction));
  return Math.sign(x) * (1 - complement);
}
