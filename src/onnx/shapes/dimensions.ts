import type { Dim, Shape } from '../graph.ts';
import type { InferContext } from '../infer.ts';

/** Arithmetic with sides that may be symbols. */

type UnknownDim = InferContext['unknownDim'];

/**
 * ONNX's multidirectional (NumPy's) broadcasting. A symbol against a number over 1 is that number;
 * two different symbols give an unknown side, since either may be 1.
 * @throws RangeError where two sides can't be joined.
 */
export function broadcastShapes(
  shapes: readonly (Shape | undefined)[],
  context: Pick<InferContext, 'unknownDim'>,
): Shape | undefined {
  let result: Shape = [];
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    result = broadcastPair(result, shape, () => context.unknownDim());
  }
  return result;
}

function broadcastPair(a: Shape, b: Shape, unknownDim: UnknownDim): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof x === 'number' && typeof y === 'number')
      throw new RangeError(`shapes [${a}] and [${b}] can not be broadcast together.`);
    if (typeof x === 'number') return x;
    return typeof y === 'number' ? y : unknownDim();
  });
}

/** One side that two inputs must share. @throws RangeError where both are numbers and differ. */
export function sameSide(a: Dim, b: Dim, what: string): Dim {
  if (typeof a === 'number' && typeof b === 'number' && a !== b)
    throw new RangeError(`${what} must be equal, got ${a} and ${b}.`);
  return typeof a === 'number' ? a : b;
}

/** Two shapes of the same value: the more precise of the two, undefined where the ranks differ. */
export function mergeShapes(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.length !== b.length) return undefined;
  return a.map((side, i) => (typeof side === 'number' ? side : b[i]!));
}

/** A function of one side: applied to a number, unknown for a symbol. */
export function mapSide(side: Dim, f: (value: number) => number, context: InferContext): Dim {
  return typeof side === 'number' ? f(side) : context.unknownDim();
}

/** The product of sides: a number, a lone symbol, or an unknown side. */
export function productOf(sides: Shape, unknownDim: UnknownDim): Dim {
  return quotientOf(sides, [], unknownDim);
}

/** prod(over) / prod(under), symbols cancelling each other. @throws RangeError where numbers do not divide. */
export function quotientOf(over: Shape, under: Shape, unknownDim: UnknownDim): Dim {
  const symbols = over.filter((side): side is string => typeof side === 'string');
  let open = false;
  for (const side of under) {
    if (typeof side === 'number') continue;
    const at = symbols.indexOf(side);
    if (at >= 0) symbols.splice(at, 1);
    else open = true;
  }
  const numerator = numbersOf(over);
  const denominator = numbersOf(under);
  if (numerator === 0 && symbols.length === 0 && !open) return 0;
  if (open || denominator === 0) return unknownDim();
  const whole = numerator % denominator === 0;
  if (symbols.length === 0) {
    if (!whole) throw new RangeError(`${numerator} elements do not divide into blocks of ${denominator}.`);
    return numerator / denominator;
  }
  return symbols.length === 1 && numerator === denominator ? symbols[0]! : unknownDim();
}

function numbersOf(sides: Shape): number {
  return sides.reduce<number>((product, side) => (typeof side === 'number' ? product * side : product), 1);
}
