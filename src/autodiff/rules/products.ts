import { attribute, float } from '../../onnx/graph.ts';
import { decomposed, rule, type Differentiation, type OpContext, type RuleContext } from '../rule.ts';

/** Matrix products. */
export const products = {
  // y = a b: da = dy bᵀ, db = aᵀ dy, over the last two axes
  MatMul: rule((c) => [() => leftGradient(c), () => rightGradient(c)]),
  // y = α op(a) op(b) + β c: da = α dy op(b)ᵀ (transposed where a was), db likewise, dc = β dy
  Gemm: rule((c) => {
    const [a, b] = [c.input(0), c.input(1)];
    const transA = attribute(c.node, 'transA', 'int', 0);
    const transB = attribute(c.node, 'transB', 'int', 0);
    const alpha = float(attribute(c.node, 'alpha', 'float', 1));
    const product = (left: string, right: string, transLeft: number, transRight: number): string =>
      c.op('Gemm', [left, right], { alpha, transA: transLeft, transB: transRight });
    return [
      () => (transA === 1 ? product(b, c.dY, transB, 1) : product(c.dY, b, 0, 1 - transB)),
      () => (transB === 1 ? product(c.dY, a, 1, transA) : product(a, c.dY, 1 - transA, 0)),
      () => c.scale(c.dY, attribute(c.node, 'beta', 'float', 1)),
    ];
  }),
} satisfies Record<string, Differentiation>;

/** ONNX Runtime's product with transposes and a factor. */
export const fusedProducts = {
  FusedMatMul: decomposed((c) => {
    const operand = (index: number, side: 'A' | 'B'): string => {
      if (attribute(c.node, `transBatch${side}`, 'int', 0) !== 0)
        throw c.refuse(`transBatch${side} has no gradient rule`);
      const value = c.input(index);
      return attribute(c.node, `trans${side}`, 'int', 0) === 1 ? matrixTransposed(c, value) : value;
    };
    const product = c.op('MatMul', [operand(0, 'A'), operand(1, 'B')]);
    return [c.scale(product, attribute(c.node, 'alpha', 'float', 1))];
  }),
} satisfies Record<string, Differentiation>;

/** The last two axes changed over. */
export function matrixTransposed(c: OpContext, value: string): string {
  const rank = c.rank(value);
  if (rank < 2) return value;
  return c.transpose(value, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

/** dy with the axis of length 1 that MatMul drops for a vector operand put back: [..., M, N]. */
function fullGradient(c: RuleContext): string {
  const shape = [...c.shape(c.dY)];
  const [rankA, rankB] = [c.rank(c.input(0)), c.rank(c.input(1))];
  if (rankB === 1) shape.push(1);
  if (rankA === 1) shape.splice(shape.length - 1, 0, 1);
  return c.reshape(c.dY, shape);
}

function leftGradient(c: RuleContext): string {
  const [a, b] = [c.input(0), c.input(1)];
  const [shapeA, shapeB] = [c.shape(a), c.shape(b)];
  const dY = fullGradient(c);
  if (shapeB.length === 1) return asOperand(c, c.op('MatMul', [dY, c.reshape(b, [1, shapeB[0]!])]), shapeA);
  if (shapeB.length === 2 && shapeA.length >= 2) {
    // One flat product over all rows.
    const flat = c.reshape(dY, [rows(shapeA), shapeB[1]!]);
    return c.reshape(c.op('Gemm', [flat, b], { transB: 1 }), shapeA);
  }
  return asOperand(c, c.op('MatMul', [dY, matrixTransposed(c, b)]), shapeA);
}

function rightGradient(c: RuleContext): string {
  const [a, b] = [c.input(0), c.input(1)];
  const [shapeA, shapeB] = [c.shape(a), c.shape(b)];
  const dY = fullGradient(c);
  if (shapeA.length >= 2 && shapeB.length <= 2) {
    const [k, n] = [shapeB[0]!, shapeB[1] ?? 1];
    const flatA = c.reshape(a, [rows(shapeA), k]);
    return c.reshape(c.op('Gemm', [flatA, c.reshape(dY, [rows(shapeA), n])], { transA: 1 }), shapeB);
  }
  const left = shapeA.length === 1 ? c.reshape(a, [shapeA[0]!, 1]) : matrixTransposed(c, a);
  const gradient = c.op('MatMul', [left, dY]);
  return shapeB.length === 1 ? c.reshape(gradient, shapeB) : gradient;
}

/** A vector operand's gradient comes as a matrix of one row: dropped again (leading axes are summed by the driver). */
function asOperand(c: RuleContext, gradient: string, shape: readonly number[]): string {
  if (shape.length !== 1) return gradient;
  const from = c.shape(gradient);
  return c.reshape(gradient, [...from.slice(0, -2), shape[0]!]);
}

function rows(shape: readonly number[]): number {
  return shape.slice(0, -1).reduce((product, side) => product * side, 1);
}
