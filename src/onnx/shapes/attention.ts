import { attribute, type Dim, type Shape, type TensorType } from '../graph.ts';
import type { InferContext, InferRule } from '../infer.ts';
import { floatingAt, isPresent, requireRank, typeAt } from './inputs.ts';
import { mapSide } from './dimensions.ts';

/**
 * Attention as one operator. Q, K, V are [N, heads, L, D], or [N, L, heads * D] with the numbers of
 * heads as attributes.
 * Outputs: Y in Q's form, present key and value [N, heads, P + L, D], scores [N, heads, L, P + L].
 */
const attention: InferRule = (c) => {
  const { dtype, shape: q } = floatingAt(c, 0);
  const k = typeAt(c, 1).shape;
  const v = typeAt(c, 2).shape;
  for (const [i, shape] of [q, k, v].entries()) requireRank(shape, i, 3, 4);
  if (q === undefined || k === undefined || v === undefined)
    return Array.from({ length: 4 }, () => ({ dtype, shape: undefined }));
  const flat = q.length === 3;
  const query = flat ? headsApart(q, attribute(c.node, 'q_num_heads', 'int'), c) : q;
  const keyHeads = flat ? attribute(c.node, 'kv_num_heads', 'int') : 0;
  const key = flat ? headsApart(k, keyHeads, c) : k;
  const value = flat ? headsApart(v, keyHeads, c) : v;
  const past = isPresent(c, 4) ? (typeAt(c, 4).shape?.[2] ?? c.unknownDim()) : 0;
  const total = sum(past, key[2]!, c);
  const result = flat ? [q[0]!, q[1]!, times(query[1]!, value[3]!, c)] : [...query.slice(0, 3), value[3]!];
  return [
    { dtype, shape: result },
    { dtype, shape: [key[0]!, key[1]!, total, key[3]!] },
    { dtype, shape: [value[0]!, value[1]!, total, value[3]!] },
    { dtype, shape: [...query.slice(0, 3), total] },
  ];
};

/** [N, L, heads * D] -> [N, heads, L, D]. */
function headsApart(shape: Shape, heads: number, c: InferContext): Shape {
  const width = shape[2]!;
  if (typeof width === 'number' && width % heads !== 0)
    throw new RangeError(`width ${width} of [${shape}] does not divide into ${heads} heads.`);
  return [shape[0]!, heads, shape[1]!, mapSide(width, (side) => side / heads, c)];
}

function sum(a: Dim, b: Dim, c: InferContext): Dim {
  if (a === 0) return b;
  return typeof a === 'number' && typeof b === 'number' ? a + b : c.unknownDim();
}

function times(a: Dim, b: Dim, c: InferContext): Dim {
  return typeof a === 'number' && typeof b === 'number' ? a * b : c.unknownDim();
}

export const attentionRules: Readonly<Record<string, InferRule>> = {
  Attention: attention,
  RotaryEmbedding: (c) => [floatingAt(c, 0)],
};

/** com.microsoft MultiHeadAttention: query [N, L, width], value [N, S, width'] or [N, heads, S, D] -> [N, L, width']. */
const multiHeadAttention: InferRule = (c) => {
  const { dtype, shape: q } = floatingAt(c, 0);
  if (q === undefined || q.length !== 3) return [{ dtype, shape: undefined }];
  const v = isPresent(c, 2) ? typeAt(c, 2).shape : q;
  const width = v?.length === 3 ? v[2]! : v?.length === 4 ? times(v[1]!, v[3]!, c) : q[2]!;
  return [{ dtype, shape: [q[0]!, q[1]!, width] }];
};

/** com.microsoft Attention: input [N, L, in], weights [in, 3 * width] -> [N, L, width]. */
const packedAttention: InferRule = (c) => {
  const { dtype, shape } = floatingAt(c, 0);
  const packed = typeAt(c, 1).shape?.[1];
  if (shape === undefined || packed === undefined) return [{ dtype, shape: undefined }];
  const sizes = attribute(c.node, 'qkv_hidden_sizes', 'ints', []);
  return [{ dtype, shape: [...shape.slice(0, 2), sizes[2] ?? mapSide(packed, (side) => side / 3, c)] }] as TensorType[];
};

/** ONNX Runtime's attention operators, in the domain com.microsoft. */
export const microsoftAttentionRules: Readonly<Record<string, InferRule>> = {
  MultiHeadAttention: multiHeadAttention,
  Attention: packedAttention,
};
