import { int64 } from '../../../src/core/tensor.ts';
import { float } from '../../../src/onnx/graph.ts';
import { bools, float64, microsoft, row, type Row } from './row.ts';

export const products: Row[] = [
  row('MatMul', 'matrices', [
    [3, 4],
    [4, 5],
  ]),
  row('MatMul', 'rows of a batch', [
    [2, 3, 4],
    [4, 5],
  ]),
  row('MatMul', 'batched', [
    [2, 3, 4],
    [2, 4, 5],
  ]),
  row('MatMul', 'broadcast', [
    [2, 1, 3, 4],
    [3, 4, 5],
  ]),
  row('MatMul', 'matrix by batch', [
    [3, 4],
    [2, 4, 5],
  ]),
  row('MatMul', 'vector by matrix', [[4], [4, 5]]),
  row('MatMul', 'vector by batch', [[4], [2, 4, 5]]),
  row('MatMul', 'matrix by vector', [[3, 4], [4]]),
  row('MatMul', 'batch by vector', [[2, 3, 4], [4]]),
  row('MatMul', 'vectors', [[4], [4]]),
  ...[0, 1].flatMap((transA) =>
    [0, 1].map((transB) =>
      row('Gemm', `transA ${transA}, transB ${transB}`, [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], [5]], {
        transA,
        transB,
        alpha: float(0.7),
        beta: float(1.3),
      }),
    ),
  ),
  row('Gemm', 'without c', [
    [3, 4],
    [4, 5],
  ]),
  row('Gemm', 'scalar c', [[3, 4], [4, 5], []]),
  row(
    'FusedGemm',
    'LeakyRelu',
    [[3, 4], [4, 5], [5]],
    { activation: 'LeakyRelu', activation_alpha: float(0.1) },
    microsoft,
  ),
  row(
    'FusedMatMul',
    'transposed, scaled',
    [
      [2, 4, 3],
      [2, 5, 4],
    ],
    { transA: 1, transB: 1, alpha: float(0.3) },
    microsoft,
  ),
  row(
    'Einsum',
    'matrix product',
    [
      [3, 4],
      [4, 5],
    ],
    { equation: 'ij,jk->ik' },
  ),
  row(
    'Einsum',
    'attention scores',
    [
      [2, 3, 2, 4],
      [2, 5, 2, 4],
    ],
    { equation: 'bqhd,bkhd->bhqk' },
  ),
  row('Einsum', 'a letter summed alone', [[3, 4], [5]], { equation: 'ij,k->k' }),
  row(
    'Einsum',
    'implicit output',
    [
      [3, 4],
      [4, 5],
    ],
    { equation: 'ij, jk' },
  ),
  row(
    'Einsum',
    'ellipsis that broadcasts',
    [
      [2, 1, 3, 4],
      [3, 4, 5],
    ],
    { equation: '...ij,...jk->...ik' },
    { engineDiffers: 'does not broadcast inside an ellipsis' },
  ),
  row(
    'Einsum',
    'three operands',
    [
      [2, 3],
      [3, 4],
      [4, 2],
    ],
    { equation: 'ab,bc,ca->a' },
  ),
  row('Attention', 'rank 4', [
    [2, 2, 3, 4],
    [2, 2, 5, 4],
    [2, 2, 5, 3],
  ]),
  row(
    'Attention',
    'rank 3, grouped queries',
    [
      [2, 3, 16],
      [2, 5, 8],
      [2, 5, 8],
    ],
    { q_num_heads: 4, kv_num_heads: 2 },
  ),
  row(
    'Attention',
    'added mask, scale, softcap',
    [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
      [1, 2, 5, 4],
      [3, 5],
    ],
    { scale: float(0.4), softcap: float(2) },
  ),
  row('Attention', 'bool mask', [[1, 2, 2, 4], [1, 2, 3, 4], [1, 2, 3, 4], bools([1, 0, 1, 1, 1, 0], [2, 3])]),
  row(
    'Attention',
    'causal',
    [
      [1, 2, 4, 4],
      [1, 2, 4, 4],
      [1, 2, 4, 4],
    ],
    { is_causal: 1 },
  ),
  row('MultiHeadAttention', 'with bias', [[2, 3, 8], [2, 5, 8], [2, 5, 8], [24]], { num_heads: 2 }, microsoft),
];

products.push(
  row('RotaryEmbedding', 'rank 4, by position', [
    [2, 3, 4, 6],
    [5, 3],
    [5, 3],
    int64([0, 1, 2, 3, 4, 1, 0, 2], [2, 4]),
  ]),
  row(
    'RotaryEmbedding',
    'rank 3, part of the features, interleaved',
    [
      [2, 4, 18],
      [2, 4, 2],
      [2, 4, 2],
    ],
    { num_heads: 3, rotary_embedding_dim: 4, interleaved: 1 },
  ),
);

export const losses: Row[] = [
  row('SoftmaxCrossEntropyLoss', 'mean', [[4, 3], int64([0, 2, 1, 2])]),
  row(
    'SoftmaxCrossEntropyLoss',
    'weights, one ignored, both outputs',
    [[4, 3], int64([0, 2, -1, 2]), float64([0.5, 1, 2])],
    { ignore_index: -1 },
    { outputs: 2 },
  ),
  row('NegativeLogLikelihoodLoss', 'sum, over places', [[2, 3, 2], int64([0, 2, 1, 2], [2, 2])], { reduction: 'sum' }),
  row('NegativeLogLikelihoodLoss', 'none', [[4, 3], int64([0, 2, 1, 2])], { reduction: 'none' }),
];
