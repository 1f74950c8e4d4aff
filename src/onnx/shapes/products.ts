import { attribute, type Dim, type Shape } from '../graph.ts';
import type { DataType } from '../../core/tensor.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { broadcastShapes, sameSide } from './dimensions.ts';
import { isPresent, requireRank, requireSameDtype, typeAt } from './inputs.ts';

/** Matrix products and einsum. */

/** NumPy's matmul: vectors become matrices and lose that axis again. */
function matmulShape(a: Shape | undefined, b: Shape | undefined, c: InferContext): Shape | undefined {
  if (a === undefined || b === undefined) return undefined;
  requireRank(a, 0, 1, Infinity);
  requireRank(b, 1, 1, Infinity);
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  sameSide(left.at(-1)!, right.at(-2)!, `the inner sides of [${a}] and [${b}]`);
  const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)], c)!;
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

function product(
  c: InferContext,
  a: number,
  b: number,
  dtype: DataType,
): [{ dtype: DataType; shape: Shape | undefined }] {
  return [{ dtype, shape: matmulShape(typeAt(c, a).shape, typeAt(c, b).shape, c) }];
}

/** A * op(B) with op a transpose; C [*, M, N] is broadcast onto the result. */
const gemm: InferRule = (c) => {
  const dtype = requireSameDtype(c, 0, 1, 2);
  const a = typeAt(c, 0).shape;
  const b = typeAt(c, 1).shape;
  requireRank(a, 0, 2);
  requireRank(b, 1, 2);
  const [rows, inner] = turned(a ?? [c.unknownDim(), c.unknownDim()], attribute(c.node, 'transA', 'int', 0) === 1);
  const [depth, columns] = turned(b ?? [c.unknownDim(), c.unknownDim()], attribute(c.node, 'transB', 'int', 0) === 1);
  sameSide(inner, depth, `the inner sides of [${a}] and [${b}]`);
  if (isPresent(c, 2)) {
    const bias = typeAt(c, 2).shape;
    const joined = broadcastShapes([[rows, columns], bias], c);
    if (joined !== undefined && joined.length > 2)
      throw new RangeError(`input 2 [${bias}] does not broadcast onto [${rows},${columns}].`);
  }
  return [{ dtype, shape: [rows, columns] }];
};

function turned(shape: Shape, transposed: boolean): [Dim, Dim] {
  return transposed ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
}

/** com.microsoft FusedMatMul: transA and transB swap the last two axes, transBatchA and transBatchB move axis 0 before the last. */
const fusedMatMul: InferRule = (c) => {
  const dtype = requireSameDtype(c, 0, 1);
  const oriented = (index: number, letter: 'A' | 'B'): Shape | undefined => {
    let { shape } = typeAt(c, index);
    if (shape === undefined || shape.length < 2) return shape;
    if (attribute(c.node, `transBatch${letter}`, 'int', 0) === 1)
      shape = [...shape.slice(1, -1), shape[0]!, shape.at(-1)!];
    if (attribute(c.node, `trans${letter}`, 'int', 0) === 1)
      shape = [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];
    return shape;
  };
  return [{ dtype, shape: matmulShape(oriented(0, 'A'), oriented(1, 'B'), c) }];
};

const einsum: InferRule = (c) => {
  const dtype = requireSameDtype(c, ...c.node.inputs.keys());
  const shapes = c.node.inputs.map((_, i) => typeAt(c, i).shape);
  if (shapes.includes(undefined)) return [{ dtype, shape: undefined }];
  return [{ dtype, shape: einsumShape(attribute(c.node, 'equation', 'string'), shapes as Shape[], c) }];
};

function einsumShape(equation: string, shapes: readonly Shape[], c: InferContext): Shape {
  const { terms, result } = parseEinsum(equation, shapes.length);
  const sides = new Map<string, Dim>();
  let ellipsis: Shape = [];
  for (const [i, term] of terms.entries()) {
    const shape = shapes[i]!;
    const at = term.indexOf('...');
    const letters = [...term.replace('...', '')];
    const extra = shape.length - letters.length;
    if (extra < 0 || (at < 0 && extra > 0))
      throw new RangeError(`term "${term}" of equation "${equation}" does not fit input ${i} [${shape}].`);
    if (at >= 0) ellipsis = broadcastShapes([ellipsis, shape.slice(at, at + extra)], c)!;
    const plain = at < 0 ? shape : shape.toSpliced(at, extra);
    for (const [j, letter] of letters.entries()) {
      const known = sides.get(letter);
      const side = plain[j]!;
      sides.set(
        letter,
        known === undefined || known === 1
          ? side
          : side === 1
            ? known
            : sameSide(known, side, `sides named "${letter}"`),
      );
    }
  }
  const [before, after] = result.includes('...') ? result.split('...') : [result, undefined];
  const named = (letters: string): Dim[] =>
    [...letters].map((letter) => {
      const side = sides.get(letter);
      if (side === undefined) throw new RangeError(`"${letter}" of equation "${equation}" is in no input.`);
      return side;
    });
  return after === undefined ? named(result) : [...named(before!), ...ellipsis, ...named(after)];
}

/**
 * The terms of an einsum equation, blanks removed and the result made explicit: letters that occur
 * once, in alphabetical order, after an ellipsis if there is one.
 * @throws RangeError where the number of terms is not `inputs`.
 * @example
 * parseEinsum('ij, jk', 2); // { terms: ['ij', 'jk'], result: 'ik' }
 */
export function parseEinsum(equation: string, inputs: number): { terms: string[]; result: string } {
  const [left = '', right] = equation.replaceAll(/\s/g, '').split('->');
  const terms = left.split(',');
  if (terms.length !== inputs)
    throw new RangeError(`equation "${equation}" has ${terms.length} terms for ${inputs} inputs.`);
  if (right !== undefined) return { terms, result: right };
  const letters = [...left.replaceAll('...', '').replaceAll(',', '')];
  const single = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  return { terms, result: (left.includes('...') ? '...' : '') + single.toSorted().join('') };
}

export const productRules: Readonly<Record<string, InferRule>> = {
  MatMul: (c) => product(c, 0, 1, requireSameDtype(c, 0, 1)),
  MatMulInteger: (c) => product(c, 0, 1, 'int32'),
  QLinearMatMul: (c) => product(c, 0, 3, typeAt(c, 7).dtype),
  Gemm: gemm,
  Einsum: einsum,
  Det: (c) => [{ dtype: typeAt(c, 0).dtype, shape: typeAt(c, 0).shape?.slice(0, -2) }],
};

/** ONNX Runtime's products, in the domain com.microsoft. */
export const microsoftProductRules: Readonly<Record<string, InferRule>> = {
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  FusedGemm: gemm,
  MatMulIntegerToFloat: (c) => product(c, 0, 1, typeAt(c, 2).dtype),
  DynamicQuantizeMatMul: (c) => product(c, 0, 1, typeAt(c, 0).dtype),
  QGemm: (c) => {
    const rows = typeAt(c, 0).shape?.[attribute(c.node, 'transA', 'int', 0)] ?? c.unknownDim();
    const columns = typeAt(c, 3).shape?.[attribute(c.node, 'transB', 'int', 0) === 1 ? 0 : 1] ?? c.unknownDim();
    return [{ dtype: isPresent(c, 8) ? typeAt(c, 8).dtype : 'float32', shape: [rows, columns] }];
  },
  MatMulNBits: (c) => {
    const { dtype, shape } = typeAt(c, 0);
    return [{ dtype, shape: shape === undefined ? undefined : [...shape.slice(0, -1), attribute(c.node, 'N', 'int')] }];
  },
};
