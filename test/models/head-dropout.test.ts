import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepare } from '../../src/autodiff/prepare.ts';
import { ModelError } from '../../src/core/errors.ts';
import { fromNumbers, toNumbers } from '../../src/core/tensor.ts';
import { findEmbedding } from '../../src/models/embedding.ts';
import { withHeadDropout } from '../../src/models/head-dropout.ts';
import { replaceHead } from '../../src/models/head.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { withActiveDropout } from '../../src/train/gradient-graph.ts';
import { evaluate } from '../reference/interpreter.ts';

const W = [1, 2, 3, 4, 5, 6];

/** Features [N, 3] of an image [N, 3, 2, 2], and a head of 2 classes made by `head`. */
function classifier(head: (b: GraphBuilder, pooled: string, features: string) => string): Graph {
  const b = new GraphBuilder('g');
  const pooled = b.op('GlobalAveragePool', [b.input('x', 'float32', ['N', 3, 2, 2])], {}, { name: 'pool' });
  b.output(head(b, pooled, b.op('Flatten', [pooled], {}, { name: 'features' })), 'logits');
  return b.build();
}
const weight = (b: GraphBuilder, shape: readonly number[]): string =>
  b.initializer('head.weight', fromNumbers('float32', shape, W));
const gemm = classifier((b, _, x) => b.op('Gemm', [x, weight(b, [2, 3])], { transB: 1 }));

/** The masks of training for 2 images, and its logits where each mask keeps only the second feature. */
function training(graph: Graph) {
  const fixed = specialize(withActiveDropout(graph), { inputs: { x: [2, 3, 2, 2] } });
  const { graph: prepared, masks } = prepare(fixed, { dropout: 'mask' });
  const x = fromNumbers(
    'float64',
    [2, 3, 2, 2],
    [10, 20, 30, 40, 50, 60].flatMap((v) => [v, v, v, v]),
  );
  const kept = masks.map(({ input, shape }) => [input, fromNumbers('float64', shape, [0, 1, 0, 0, 1, 0])] as const);
  return { masks, logits: toNumbers(evaluate(prepared, new Map([['x', x], ...kept])).get('logits')!) };
}

describe('withHeadDropout', () => {
  it.each<[string, Graph, number[]]>([
    ['a Gemm', gemm, [2, 5]],
    ['a MatMul', classifier((b, _, x) => b.op('MatMul', [x, weight(b, [3, 2])])), [3, 4]],
    [
      'a MatMul with bias and softmax',
      classifier((b, _, x) => b.op('Add', [b.op('MatMul', [x, weight(b, [3, 2])]), b.float([0, 0])])),
      [3, 4],
    ],
    [
      'a 1x1 convolution',
      classifier((b, x) => b.op('Flatten', [b.op('Conv', [x, weight(b, [2, 3, 1, 1])])], { axis: 1 })),
      [2, 5],
    ],
  ])('drops features in front of %s', (_, graph, [first, second]) => {
    const { masks, logits } = training(withHeadDropout(graph, 'logits', 0.3));
    expect(masks).toHaveLength(1);
    expect(masks[0]!.rate).toBeCloseTo(0.3, 6);
    expect(masks[0]!.shape.slice(0, 2)).toEqual([2, 3]);
    expect(logits).toEqual([20 * first!, 20 * second!, 50 * first!, 50 * second!]);
  });

  it('gives the dropout that is there the rate, and makes no second', () => {
    const own = classifier((b, _, x) =>
      b.op('Gemm', [b.op('Dropout', [x, b.float(0.5)]), weight(b, [2, 3])], { transB: 1 }),
    );
    const bare = classifier((b, _, x) => b.op('Gemm', [b.op('Dropout', [x]), weight(b, [2, 3])], { transB: 1 }));
    const replaced = replaceHead(gemm, findEmbedding(gemm), 2, { init: { seed: 1 }, dropout: 0.5 }).graph;
    for (const graph of [own, bare, replaced]) {
      const { masks } = training(withHeadDropout(graph, 'logits', 0.25));
      expect(masks.map(({ rate }) => rate)).toEqual([0.25]);
    }
    expect(training(withHeadDropout(own, 'logits', 0)).masks).toEqual([]);
  });

  it('needs a head, and a rate below 1', () => {
    const none = classifier((b, _, x) => b.op('Relu', [x]));
    expect(() => withHeadDropout(none, 'logits', 0.2)).toThrow(ModelError);
    for (const rate of [-0.1, 1]) expect(() => withHeadDropout(gemm, 'logits', rate)).toThrow(RangeError);
  });

  const file = new URL('../../../shared/models/mobilenet_v1_0.25_128.onnx', import.meta.url);
  it.skipIf(!existsSync(file))('finds the convolution that is the head of a MobileNet', async () => {
    const { graph } = await loadModel(file.pathname);
    const dropped = withHeadDropout(graph, 'logits', 0.2);
    const dropout = dropped.nodes.find(({ opType }) => opType === 'Dropout');
    expect(dropped.types.get(dropout!.outputs[0]!)!.shape!.slice(1)).toEqual([256, 1, 1]);
    expect(dropped.nodes.find(({ inputs }) => inputs.includes(dropout!.outputs[0]!))!.opType).toBe('Conv');
  });
});
