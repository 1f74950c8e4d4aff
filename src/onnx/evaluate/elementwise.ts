import { toNumbers, type DataType } from '../../core/tensor.ts';
import { attribute } from '../graph.ts';
import { broadcastIndices, fromValues, inputAt, shapeAt, take, type Kernel } from './kernel.ts';

/** Arithmetic, comparisons and choices, element by element. */

type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

function isInteger(dtype: DataType): boolean {
  return !dtype.startsWith('float') && dtype !== 'bfloat16' && dtype !== 'string' && dtype !== 'bool';
}

/** float16 and bfloat16 lie as bits, strings have no numbers: they are left to the engine. */
function isPlain(dtype: DataType): boolean {
  return dtype !== 'float16' && dtype !== 'bfloat16' && dtype !== 'string';
}

function unary(f: Unary): Kernel {
  return (e) => {
    const { dtype, shape } = e.outputs[0]!;
    const input = inputAt(e, 0);
    return isPlain(input.dtype) ? [fromValues(dtype, shape as number[], toNumbers(input).map(f))] : undefined;
  };
}

/** Folded over all inputs, broadcast to the result. `choose` gives the function for the inputs' type. */
function binary(choose: (dtype: DataType, e: Parameters<Kernel>[0]) => Binary): Kernel {
  return (e) => {
    const shape = shapeAt(e);
    const { dtype } = inputAt(e, 0);
    if (!e.inputs.every((input) => input !== undefined && isPlain(input.dtype))) return undefined;
    const f = choose(dtype, e);
    const columns = e.inputs.map((input) => {
      const values = toNumbers(input!);
      return Array.from(broadcastIndices(input!.shape, shape), (i) => values[i]!);
    });
    const values = columns.reduce((left, right) => left.map((x, i) => f(x, right[i]!)));
    return [fromValues(e.outputs[0]!.dtype, shape, values)];
  };
}

const same = (f: Binary): Kernel => binary(() => f);
const truth = (f: (x: number, y: number) => boolean): Kernel => binary(() => (x, y) => (f(x, y) ? 1 : 0));

/** The sign of the divisor for integers; C's fmod where `fmod` is set. */
const modulo: Kernel = binary((_, { node }) =>
  attribute(node, 'fmod', 'int', 0) === 1 ? (x, y) => x % y : (x, y) => x - Math.floor(x / y) * y,
);

const divide: Kernel = (e) => {
  const integer = isInteger(inputAt(e, 0).dtype);
  // An integer division by zero is the engine's to report.
  if (integer && toNumbers(inputAt(e, 1)).includes(0)) return undefined;
  return binary(() => (integer ? (x, y) => Math.trunc(x / y) : (x, y) => x / y))(e);
};

/** Round half to even. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

const where: Kernel = (e) => {
  const shape = shapeAt(e);
  const [condition, yes, no] = [inputAt(e, 0), inputAt(e, 1), inputAt(e, 2)];
  if (yes.dtype === 'string') return undefined;
  const chosen = broadcastIndices(condition.shape, shape);
  const [left, right] = [broadcastIndices(yes.shape, shape), broadcastIndices(no.shape, shape)];
  const result = take(yes, left, shape);
  const data = result.data as Float32Array;
  for (let i = 0; i < data.length; i++)
    if ((condition.data as Uint8Array)[chosen[i]!] === 0) data[i] = (no.data as Float32Array)[right[i]!]!;
  return [result];
};

const cast: Kernel = (e) => {
  const input = inputAt(e, 0);
  const { dtype, shape } = e.outputs[0]!;
  if (!isPlain(input.dtype) || !isPlain(dtype)) return undefined;
  return [fromValues(dtype, shape as number[], toNumbers(input))];
};

const clip: Kernel = (e) => {
  const input = inputAt(e, 0);
  if (!isPlain(input.dtype)) return undefined;
  const [least, most] = [1, 2].map((i) => (e.inputs[i] === undefined ? undefined : toNumbers(e.inputs[i])[0]));
  const values = toNumbers(input).map((x) => Math.min(Math.max(x, least ?? -Infinity), most ?? Infinity));
  return [fromValues(input.dtype, shapeAt(e), values)];
};

export const elementwiseKernels: Readonly<Record<string, Kernel>> = {
  Abs: unary(Math.abs),
  Ceil: unary(Math.ceil),
  Exp: unary(Math.exp),
  Floor: unary(Math.floor),
  Log: unary(Math.log),
  Neg: unary((x) => -x),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  Reciprocal: unary((x) => 1 / x),
  Relu: unary((x) => Math.max(x, 0)),
  Round: unary(roundEven),
  Sign: unary(Math.sign),
  Sqrt: unary(Math.sqrt),

  Add: same((x, y) => x + y),
  Sub: same((x, y) => x - y),
  Mul: same((x, y) => x * y),
  Div: divide,
  Mod: modulo,
  Pow: binary((dtype) => (isInteger(dtype) ? (x, y) => Math.trunc(x ** y) : (x, y) => x ** y)),
  Max: same(Math.max),
  Min: same(Math.min),
  Sum: same((x, y) => x + y),

  And: truth((x, y) => x !== 0 && y !== 0),
  Or: truth((x, y) => x !== 0 || y !== 0),
  Xor: truth((x, y) => (x !== 0) !== (y !== 0)),
  Equal: truth((x, y) => x === y),
  Greater: truth((x, y) => x > y),
  GreaterOrEqual: truth((x, y) => x >= y),
  Less: truth((x, y) => x < y),
  LessOrEqual: truth((x, y) => x <= y),

  Where: where,
  Cast: cast,
  CastLike: cast,
  Clip: clip,
};
