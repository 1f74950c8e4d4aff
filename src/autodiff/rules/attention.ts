import { attribute } from '../../onnx/graph.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { decomposed, type Differentiation, type OpContext } from '../rule.ts';
import { matrixTransposed } from './products.ts';

/** Scaled dot-product attention, written out before it is differentiated. */
export const attention = {
  Attention: decomposed((c) => {
    for (const index of [4, 5, 6])
      if (c.optional(index) !== undefined)
        throw c.refuse('attention with a cache of keys and values serves inference only');
    for (const side of ['left_window_size', 'right_window_size'])
      if (attribute(c.node, side, 'int', -1) !== -1) throw c.refuse(`attention with ${side} has no gradient rule`);
    const rank = c.rank(c.input(0));
    const queryHeads = rank === 4 ? c.shape(c.input(0))[1]! : attribute(c.node, 'q_num_heads', 'int');
    const keyHeads = rank === 4 ? c.shape(c.input(1))[1]! : attribute(c.node, 'kv_num_heads', 'int');
    const q = heads(c, c.input(0), queryHeads);
    const k = repeatedHeads(c, heads(c, c.input(1), keyHeads), queryHeads / keyHeads);
    const v = repeatedHeads(c, heads(c, c.input(2), keyHeads), queryHeads / keyHeads);
    let scores = scaledScores(c, q, k);
    const cap = attribute(c.node, 'softcap', 'float', 0);
    if (cap > 0) scores = c.scale(c.op('Tanh', [c.scale(scores, 1 / cap)]), cap);
    const mask = c.optional(3);
    if (mask !== undefined) scores = c.add(scores, additiveMask(c, mask));
    if (attribute(c.node, 'is_causal', 'int', 0) === 1) scores = c.add(scores, causalMask(c, scores));
    return [weighted(c, scores, v, rank)];
  }),
} satisfies Record<string, Differentiation>;

/** ONNX Runtime's form: [N, L, heads * size] inputs and one bias for query, key and value. */
export const fusedAttention = {
  MultiHeadAttention: decomposed((c) => {
    for (const index of [4, 6, 7, 8, 9])
      if (c.optional(index) !== undefined)
        throw c.refuse(`its input ${index} ("${c.input(index)}") has no gradient rule`);
    if (c.rank(c.input(0)) !== 3 || c.optional(2) === undefined)
      throw c.refuse('packed query, key and value have no gradient rule');
    const count = attribute(c.node, 'num_heads', 'int');
    const bias = c.optional(3);
    const sides = [0, 1, 2].map((index) => c.shape(c.input(index)).at(-1)!);
    const biases = bias === undefined ? [] : splitBias(c, bias, sides);
    const [q, k, v] = [0, 1, 2].map((index) => {
      const own = biases[index];
      return heads(c, own === undefined ? c.input(index) : c.add(c.input(index), own), count);
    }) as [string, string, string];
    let scores = scaledScores(c, q, k);
    const added = c.optional(5);
    if (added !== undefined) scores = c.add(scores, added);
    return [weighted(c, scores, v, 3)];
  }),
} satisfies Record<string, Differentiation>;

function splitBias(c: OpContext, bias: string, sides: readonly number[]): string[] {
  let start = 0;
  return sides.map((side) => {
    const part = c.op('Slice', [bias, c.ints([start]), c.ints([start + side]), c.ints([0])]);
    start += side;
    return part;
  });
}

/** [N, L, heads * size] as [N, heads, L, size]; a value of rank 4 is so already. */
function heads(c: OpContext, value: string, count: number): string {
  const shape = c.shape(value);
  if (shape.length === 4) return value;
  const [n, length, width] = shape as [number, number, number];
  return c.transpose(c.reshape(value, [n, length, count, width / count]), [0, 2, 1, 3]);
}

/** Grouped queries: every head of keys or values serves `times` heads of queries. */
function repeatedHeads(c: OpContext, value: string, times: number): string {
  if (times === 1) return value;
  const [n, count, length, width] = c.shape(value) as [number, number, number, number];
  const spread = c.op('Expand', [
    c.reshape(value, [n, count, 1, length, width]),
    c.ints([n, count, times, length, width]),
  ]);
  return c.reshape(spread, [n, count * times, length, width]);
}

function scaledScores(c: OpContext, q: string, k: string): string {
  const given = attribute(c.node, 'scale', 'float', 0);
  const scale = given === 0 ? 1 / Math.sqrt(c.shape(q).at(-1)!) : given;
  return c.op('MatMul', [c.scale(q, scale), matrixTransposed(c, k)]);
}

/** Where a bool mask is false, a score so low that its weight is 0; a float mask is added as it is. */
function additiveMask(c: OpContext, mask: string): string {
  if (c.builder.type(mask).dtype !== 'bool') return mask;
  return c.scale(c.sub(c.toFloat(mask), c.scalar(1)), MASKED);
}

const MASKED = 1e30;

function causalMask(c: OpContext, scores: string): string {
  const [queries, keys] = c.shape(scores).slice(-2) as [number, number];
  const values = Array.from({ length: queries * keys }, (_, i) => (i % keys <= Math.floor(i / keys) ? 0 : -MASKED));
  return c.builder.constant(fromNumbers(c.dtype, [queries, keys], values));
}

function weighted(c: OpContext, scores: string, v: string, rank: number): string {
  const y = c.op('MatMul', [c.op('Softmax', [scores], { axis: -1 }), v]);
  if (rank === 4) return y;
  const [n, count, length, width] = c.shape(y) as [number, number, number, number];
  return c.reshape(c.transpose(y, [0, 2, 1, 3]), [n, length, count * width]);
}
