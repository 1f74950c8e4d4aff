import { attribute, type Node } from '../../../src/onnx/graph.ts';
import type { Kernel } from '../interpreter.ts';
import {
  accumulateProduct,
  broadcast,
  broadcastShape,
  make,
  map,
  reshaped,
  stridesOf,
  transposed,
  zip,
  type Value,
} from '../value.ts';
import { softmax } from './activations.ts';
import { fusedActivation } from './windows.ts';

export const products: Readonly<Record<string, Kernel>> = {
  MatMul: ([a, b]) => [matMul(a!, b!)],
  FusedMatMul: ([a, b], node) => {
    const left = attribute(node, 'transA', 'int', 0) === 1 ? matrixTransposed(a!) : a!;
    const right = attribute(node, 'transB', 'int', 0) === 1 ? matrixTransposed(b!) : b!;
    return [map(matMul(left, right), (x) => x * attribute(node, 'alpha', 'float', 1))];
  },
  Gemm: ([a, b, c], node) => {
    const left = attribute(node, 'transA', 'int', 0) === 1 ? matrixTransposed(a!) : a!;
    const right = attribute(node, 'transB', 'int', 0) === 1 ? matrixTransposed(b!) : b!;
    const product = map(matMul(left, right), (x) => x * attribute(node, 'alpha', 'float', 1));
    const beta = attribute(node, 'beta', 'float', 1);
    return [c === undefined ? product : zip(product, c, (x, y) => x + beta * y)];
  },
  FusedGemm: (inputs, node) => [
    fusedActivation(products['Gemm']!(inputs, node)[0]!, node, [attribute(node, 'activation_alpha', 'float', 0)]),
  ],
  Einsum: (inputs, node) => [einsum(attribute(node, 'equation', 'string'), inputs as Value[])],
  Attention: ([q, k, v, mask], node) => {
    const queryHeads = q!.shape.length === 4 ? q!.shape[1]! : attribute(node, 'q_num_heads', 'int');
    const keyHeads = q!.shape.length === 4 ? k!.shape[1]! : attribute(node, 'kv_num_heads', 'int');
    const y = attend(splitHeads(q!, queryHeads), splitHeads(k!, keyHeads), splitHeads(v!, keyHeads), {
      mask,
      causal: attribute(node, 'is_causal', 'int', 0) === 1,
      scale: attribute(node, 'scale', 'float', 0),
      softcap: attribute(node, 'softcap', 'float', 0),
    });
    return [q!.shape.length === 4 ? y : joinedHeads(y)];
  },
  RotaryEmbedding: ([x, cos, sin, positions], node) => [rotated(x!, cos!, sin!, positions, node)],
  MultiHeadAttention: ([q, k, v, bias, , added], node) => {
    const heads = attribute(node, 'num_heads', 'int');
    const widths = [q!, k!, v!].map((value) => value.shape[2]!);
    const offsets = [0, widths[0]!, widths[0]! + widths[1]!];
    const [query, key, value] = [q!, k!, v!].map((operand, i) => {
      const own = bias && make(bias, [widths[i]!], bias.data.slice(offsets[i], offsets[i]! + widths[i]!));
      const shifted = own === undefined ? operand : zip(operand, own, (x, y) => x + y);
      const [n, length, width] = operand.shape as [number, number, number];
      return transposed(reshaped(shifted, [n, length, heads, width / heads]), [0, 2, 1, 3]);
    }) as [Value, Value, Value];
    const scale = attribute(node, 'scale', 'float', 0);
    return [joinedHeads(attend(query, key, value, { mask: added, causal: false, scale, softcap: 0 }))];
  },
};

/** ONNX's RotaryEmbedding, pair by pair. */
function rotated(x: Value, cos: Value, sin: Value, positions: Value | undefined, node: Node): Value {
  const ranked = x.shape.length === 4;
  const heads = ranked ? x.shape[1]! : attribute(node, 'num_heads', 'int');
  const [n, length] = [x.shape[0]!, ranked ? x.shape[2]! : x.shape[1]!];
  const size = x.data.length / (n * length * heads);
  const turned = attribute(node, 'rotary_embedding_dim', 'int', 0) || size;
  const interleaved = attribute(node, 'interleaved', 'int', 0) === 1;
  const result = make(x, x.shape, x.data.slice());
  for (let i = 0; i < n * length * heads; i++) {
    const batch = Math.floor(i / (length * heads));
    const head = ranked ? Math.floor(i / length) % heads : i % heads;
    const at = ranked ? i % length : Math.floor(i / heads) % length;
    const row = ranked ? (batch * heads + head) * length + at : (batch * length + at) * heads + head;
    const angle = positions === undefined ? batch * length + at : positions.data[batch * length + at]!;
    for (let j = 0; j < turned / 2; j++) {
      const [a, b] = interleaved ? [2 * j, 2 * j + 1] : [j, j + turned / 2];
      const [u, v] = [x.data[row * size + a]!, x.data[row * size + b]!];
      const [co, si] = [cos.data[(angle * turned) / 2 + j]!, sin.data[(angle * turned) / 2 + j]!];
      result.data[row * size + a] = u * co - v * si;
      result.data[row * size + b] = u * si + v * co;
    }
  }
  return result;
}

function splitHeads(value: Value, heads: number): Value {
  if (value.shape.length === 4) return value;
  const [n, length, width] = value.shape as [number, number, number];
  return transposed(reshaped(value, [n, length, heads, width / heads]), [0, 2, 1, 3]);
}

function joinedHeads(y: Value): Value {
  const [n, heads, length, width] = y.shape as [number, number, number, number];
  return reshaped(transposed(y, [0, 2, 1, 3]), [n, length, heads * width]);
}

function attend(
  q: Value,
  k: Value,
  v: Value,
  options: { mask: Value | undefined; causal: boolean; scale: number; softcap: number },
): Value {
  const times = q.shape[1]! / k.shape[1]!;
  const repeat = (value: Value): Value => {
    const [n, heads, length, width] = value.shape as [number, number, number, number];
    const spread = broadcast(reshaped(value, [n, heads, 1, length, width]), [n, heads, times, length, width]);
    return reshaped(spread, [n, heads * times, length, width]);
  };
  const scale = options.scale === 0 ? 1 / Math.sqrt(q.shape[3]!) : options.scale;
  let scores = map(matMul(q, matrixTransposed(repeat(k))), (x) => x * scale);
  if (options.softcap > 0) scores = map(scores, (x) => options.softcap * Math.tanh(x / options.softcap));
  const { mask } = options;
  if (mask !== undefined)
    scores = zip(scores, mask, (x, m) => (mask.dtype === 'bool' ? (m === 0 ? -Infinity : x) : x + m));
  const [queries, keys] = scores.shape.slice(-2) as [number, number];
  if (options.causal)
    scores = {
      ...scores,
      data: scores.data.map((x, i) => (i % keys > Math.floor(i / keys) % queries ? -Infinity : x)),
    };
  return matMul(softmax(scores, -1), repeat(v));
}

export function matrixTransposed(value: Value): Value {
  const rank = value.shape.length;
  return transposed(value, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

export function matMul(a: Value, b: Value): Value {
  const left = a.shape.length === 1 ? reshaped(a, [1, a.shape[0]!]) : a;
  const right = b.shape.length === 1 ? reshaped(b, [b.shape[0]!, 1]) : b;
  const [m, k] = left.shape.slice(-2) as [number, number];
  const n = right.shape.at(-1)!;
  if (right.shape.at(-2) !== k) throw new RangeError(`Can not multiply [${a.shape}] by [${b.shape}].`);
  const batch = broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const [wideLeft, wideRight] = [broadcast(left, [...batch, m, k]), broadcast(right, [...batch, k, n])];
  const result = make(a, [...batch, m, n]);
  for (let i = 0; i < result.data.length / (m * n); i++)
    accumulateProduct([m, n, k], wideLeft.data, wideRight.data, result.data, [i * m * k, i * k * n, i * m * n]);
  const shape = [...batch, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  return reshaped(result, shape);
}

/** By definition: for every value of every letter, the product of the operands is added to the output. */
function einsum(equation: string, operands: readonly Value[]): Value {
  const [left, right] = equation.replaceAll(' ', '').split('->') as [string, string | undefined];
  const ellipsis = Math.max(
    ...left.split(',').map((term, i) => (term.includes('...') ? operands[i]!.shape.length - term.length + 3 : 0)),
  );
  // Digits name the axes of the ellipsis, counted from its end.
  const digits = Array.from({ length: ellipsis }, (_, i) => String(ellipsis - 1 - i));
  const terms = left.split(',').map((term, i) => {
    const own = operands[i]!.shape.length - term.replace('...', '').length;
    return [...term.replace('...', digits.slice(ellipsis - own).join(''))];
  });
  const letters = [...new Set(terms.flat())];
  const counts = (letter: string): number => terms.flat().filter((other) => other === letter).length;
  const implicit = letters.filter((letter) => /[A-Za-z]/.test(letter) && counts(letter) === 1).toSorted();
  const output = right === undefined ? [...digits, ...implicit] : [...right.replace('...', digits.join(''))];
  const sides = letters.map((letter) =>
    Math.max(...terms.map((term, i) => operands[i]!.shape[term.indexOf(letter)] ?? 1)),
  );
  const shape = output.map((letter) => sides[letters.indexOf(letter)]!);
  const result = make(operands[0]!, shape);
  const steps = [...terms, output].map((term, i) => {
    const own = i < operands.length ? operands[i]!.shape : shape;
    const strides = stridesOf(own);
    return letters.map((letter) =>
      term.reduce((step, other, axis) => (other === letter && own[axis] !== 1 ? step + strides[axis]! : step), 0),
    );
  });
  const visit = (depth: number, at: readonly number[]): void => {
    if (depth === letters.length) {
      const product = operands.reduce((total, operand, i) => total * operand.data[at[i]!]!, 1);
      result.data[at.at(-1)!] = result.data[at.at(-1)!]! + product;
      return;
    }
    for (let i = 0; i < sides[depth]!; i++)
      visit(
        depth + 1,
        at.map((place, j) => place + i * steps[j]![depth]!),
      );
  };
  visit(0, [...operands.map(() => 0), 0]);
  return result;
}
