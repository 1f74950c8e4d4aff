import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { float32, tensor, zeros } from '../../src/core/tensor.ts';
import { findEmbedding } from '../../src/models/embedding.ts';
import { featureExtractor, replaceHead } from '../../src/models/head.ts';
import { loadWeights } from '../../src/models/load-weights.ts';
import { buildModel } from '../../src/models/registry.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { formulaWeights, noise } from './formula-weights.ts';
import { runGraph } from './run-graph.ts';

/** A body [N, 3, 4, 4] -> pooled features [N, 3, 1, 1], and what `head` puts on it. */
function network(head: (b: GraphBuilder, pooled: string) => void): Graph {
  const b = new GraphBuilder('network');
  const x = b.input('input', 'float32', ['N', 3, 4, 4]);
  head(b, b.op('GlobalAveragePool', [b.op('Relu', [x])], {}, { outputs: ['pooled'] }));
  return b.build();
}
const weights = (b: GraphBuilder, shape: number[]): string => b.initializer('w', zeros('float32', shape));

describe('findEmbedding', () => {
  test.each<[string, Graph, object]>([
    [
      'a Gemm behind a dropout',
      network((b, x) => {
        const dropped = b.op('Dropout', [b.op('Flatten', [x], { axis: 1 }, { outputs: ['flat'] })]);
        b.output(b.op('Gemm', [dropped, weights(b, [7, 3])], { transB: 1 }), 'scores');
      }),
      { value: 'flat', pooling: 'none', width: 3, classifier: { node: 'Gemm', output: 'scores', classes: 7 } },
    ],
    [
      'a product with a transposed weight, a bias and a softmax',
      network((b, x) => {
        const flat = b.op('Flatten', [x], { axis: 1 }, { outputs: ['flat'] });
        const product = b.op('MatMul', [flat, b.op('Transpose', [weights(b, [7, 3])], { perm: [1, 0] })]);
        b.output(b.op('Softmax', [b.op('Add', [b.float([1, 2, 3, 4, 5, 6, 7]), product])], { axis: 1 }), 'y');
      }),
      { value: 'flat', pooling: 'none', width: 3, classifier: { node: 'MatMul', output: 'y', classes: 7 } },
    ],
    [
      'a 1x1 convolution on pooled features',
      network((b, x) => b.output(b.op('Flatten', [b.op('Conv', [x, weights(b, [7, 3, 1, 1])])], { axis: 1 }), 'y')),
      { value: 'pooled', pooling: 'flatten', width: 3, classifier: { node: 'Conv', output: 'y', classes: 7 } },
    ],
    [
      'a 1x1 convolution before the pooling (SqueezeNet)',
      network((b) => {
        const maps = b.op('Relu', [b.op('Conv', ['Relu', weights(b, [7, 3, 1, 1])])]);
        b.output(b.op('Flatten', [b.op('GlobalAveragePool', [maps])], { axis: 1 }), 'y');
      }),
      { value: 'Relu', pooling: 'average', width: 3, classifier: { node: 'Conv', output: 'y', classes: 7 } },
    ],
    [
      'the first of two classifiers that are averaged (DeiT)',
      network((b, x) => {
        const flat = b.op('Flatten', [x], { axis: 1 }, { outputs: ['flat'] });
        const first = b.op('Gemm', [flat, weights(b, [7, 3])], { transB: 1 }, { name: 'first' });
        const second = b.op('Gemm', [b.op('Relu', [flat]), b.initializer('v', zeros('float32', [3, 7]))]);
        b.output(b.op('Div', [b.op('Add', [first, second]), b.float(2)]), 'y');
      }),
      { value: 'flat', pooling: 'none', width: 3, classifier: { node: 'first', output: 'y', classes: 7 } },
    ],
    [
      'the sum of a residual block, which is no classifier',
      network((b, x) => {
        const flat = b.op('Flatten', [x], { axis: 1 });
        const branch = b.op('MatMul', [b.op('Relu', [flat]), weights(b, [3, 3])]);
        b.output(b.op('Add', [flat, branch]), 'y');
      }),
      { value: 'y', pooling: 'none', width: 3 },
    ],
    [
      'a feature extractor',
      network((b, x) => b.output(b.op('Flatten', [x], { axis: 1 }), 'y')),
      { value: 'y', pooling: 'none', width: 3 },
    ],
    ['maps, to be averaged', network((b) => b.output('Relu', 'maps')), { value: 'maps', pooling: 'average', width: 3 }],
  ])('finds %s', (_, graph, expected) => {
    expect(findEmbedding(graph)).toEqual(expected);
  });

  test('prefers the output named for scores, and takes names from the caller', () => {
    const graph = network((b, x) => {
      const flat = b.op('Flatten', [x], { axis: 1 }, { outputs: ['flat'] });
      b.output(b.op('Gemm', [flat, b.initializer('aux', zeros('float32', [3, 2]))]), 'auxiliary');
      b.output(b.op('Gemm', [flat, weights(b, [3, 5])]), 'logits');
    });
    expect(findEmbedding(graph).classifier?.classes).toBe(5);
    expect(findEmbedding(graph, { logits: 'auxiliary' }).classifier?.classes).toBe(2);
    expect(findEmbedding(graph, { embedding: 'pooled' })).toEqual({ value: 'pooled', pooling: 'flatten', width: 3 });
    expect(() => findEmbedding(graph, { embedding: 'poled' })).toThrow(
      /"poled" \(--embedding\) \(did you mean "pooled"\?\)/,
    );
  });

  test('takes one token or their mean as it is told, or where transformers call them so', () => {
    const tokens = (count: number, name: string): Graph => {
      const b = new GraphBuilder('tokens');
      b.output(b.op('Relu', [b.input('x', 'float32', ['N', count, 8])]), name);
      return b.build();
    };
    expect(() => findEmbedding(tokens(5, 'tokens'))).toThrow('NAME:first');
    const graph = tokens(5, 'last_hidden_state');
    expect(findEmbedding(graph)).toMatchObject({ pooling: 'first-token', width: 8 });
    // A square of tokens is one a patch, and none stands for the image.
    expect(findEmbedding(tokens(4, 'last_hidden_state'))).toMatchObject({ pooling: 'mean-token', width: 8 });
    expect(findEmbedding(graph, { embedding: 'last_hidden_state:first' })).toMatchObject({
      pooling: 'first-token',
      width: 8,
    });
    expect(findEmbedding(graph, { embedding: 'last_hidden_state:mean' })).toMatchObject({
      pooling: 'mean-token',
      width: 8,
    });
  });

  test('says what there is where nothing is found', () => {
    const graph = network((b) => b.output(b.op('Shape', ['Relu']), 'size'));
    expect(() => findEmbedding(graph)).toThrow(/Outputs: size \[4\]/);
    const plain = network((b, x) => b.output(x));
    expect(() => findEmbedding(plain, { logits: 'pooled' })).toThrow('No linear layer leads to "pooled"');
  });
});

describe('replaceHead', () => {
  test('makes logits = embedding · weight + bias and nothing of the old head', async () => {
    const built = buildModel('cifar_resnet8', { classes: 10 });
    const { graph } = loadWeights(built, formulaWeights(built.graph)).model;
    const weight = tensor('float32', [3, 64], Float32Array.from(noise('weight', 192)));
    const bias = float32([1, 2, 3]);
    const headed = replaceHead(graph, findEmbedding(graph), 3, { init: { weight, bias } });
    expect(headed.graph.initializers.has('fc.weight')).toBe(false);
    expect(headed.head).toEqual({ weight: 'head.weight', bias: 'head.bias' });
    const input = tensor('float32', [2, 3, 32, 32], Float32Array.from(noise('input', 6144)));
    const before = (await runGraph(graph, input))['embedding']!.data as Float32Array;
    const after = await runGraph(headed.graph, input);
    expect(after['embedding']!.data).toEqual(before);
    for (let n = 0; n < 2; n++)
      for (let k = 0; k < 3; k++) {
        let sum = k + 1;
        for (let d = 0; d < 64; d++) sum += before[n * 64 + d]! * (weight.data as Float32Array)[k * 64 + d]!;
        expect(after['logits']!.data[n * 3 + k]).toBeCloseTo(sum, 4);
      }
  });

  test('starts by seed or at zero, puts dropout before the head, checks shapes', () => {
    const { graph } = buildModel('digits', { classes: 10 });
    const embedding = findEmbedding(graph);
    const headOf = (init: 'zeros' | { seed: number }): Float32Array =>
      replaceHead(graph, embedding, 4, { init }).graph.initializers.get('head.weight')!.data as Float32Array;
    expect(headOf('zeros').every((x) => x === 0)).toBe(true);
    expect(headOf({ seed: 1 })).toEqual(headOf({ seed: 1 }));
    expect(headOf({ seed: 1 })).not.toEqual(headOf({ seed: 2 }));
    const { nodes } = replaceHead(graph, embedding, 4, { init: 'zeros', dropout: 0.2 }).graph;
    expect(nodes.slice(-2).map((node) => node.opType)).toEqual(['Dropout', 'Gemm']);
    const wrong = { weight: zeros('float32', [4, 3]), bias: zeros('float32', [4]) };
    expect(() => replaceHead(graph, embedding, 4, { init: wrong })).toThrow('[4,128]');
  });

  test('keeps clear of names that the network uses', () => {
    // timm's vision transformer has a head.weight of its own, which goes.
    const { graph } = buildModel('vit_tiny_patch16_224', { classes: 10, inputSize: 32 });
    const headed = replaceHead(graph, findEmbedding(graph), 2, { init: 'zeros' });
    expect(headed.graph.initializers.get('head.weight')!.shape).toEqual([2, 192]);
    const again = replaceHead(headed.graph, findEmbedding(headed.graph), 6, { init: 'zeros' });
    expect(again.head.weight).toBe('head.weight');
    expect(again.graph.outputs.map((output) => output.name)).toEqual(['logits', 'embedding']);
    const taken = new GraphBuilder('taken');
    const x = taken.input('logits', 'float32', ['N', 3]);
    taken.output(taken.op('Mul', [x, taken.initializer('head.weight', float32([1, 2, 3]))]), 'y');
    expect(replaceHead(taken.build(), { value: 'y', pooling: 'none', width: 3 }, 2, { init: 'zeros' })).toMatchObject({
      logits: 'logits_1',
      head: { weight: 'head.weight_1', bias: 'head.bias' },
    });
  });
});

const shared = new URL('../../../shared/models/', import.meta.url);
describe.skipIf(!existsSync(shared))('on the models of ../shared', () => {
  test.each([
    ['mobilenet_v1_0.25_128.onnx', 256, 1001],
    ['mobilenet_v2_1.0_224.onnx', 1280, 1001],
    ['mobilenet_v2_1.0_224.int8-weights.onnx', 1280, 1001],
    ['efficientnet_lite0_224.onnx', 1280, 1000],
    ['cifar10_resnet20.onnx', 64, 10],
    ['zoo/byobnet_fused/model.onnx', 256, 7],
    ['zoo/convnext_dynamo/model.onnx', 64, 7],
    ['zoo/convnext_eval/model.onnx', 64, 7],
    ['zoo/efficientnet_fused/model.onnx', 256, 7],
    ['zoo/efficientnet_train/model.onnx', 256, 7],
    ['zoo/mobilenetv3_fused/model.onnx', 1024, 7],
    ['zoo/mobilenetv3_train/model.onnx', 1024, 7],
    ['zoo/resnet_eval/model.onnx', 96, 7],
    ['zoo/resnet_fused/model.onnx', 96, 7],
    ['zoo/resnet_train/model.onnx', 96, 7],
    ['zoo/vit_dynamo/model.onnx', 64, 7],
    ['zoo/vit_eval/model.onnx', 64, 7],
  ])('%s: %i features, %i classes', async (file, width, classes) => {
    const { graph } = await loadModel(new URL(file, shared).pathname);
    const embedding = findEmbedding(graph);
    expect([embedding.width, embedding.classifier?.classes]).toEqual([width, classes]);
    const headed = replaceHead(graph, embedding, 4, { init: 'zeros' }).graph;
    expect(headed.outputs.map((output) => output.type.shape!.slice(1))).toEqual([[4], [width]]);
  });

  test('the features are those that the file gives as its own output', async () => {
    const { graph } = await loadModel(new URL('mobilenet_v1_0.25_128.onnx', shared).pathname);
    const input = tensor('float32', [1, 3, 128, 128], Float32Array.from(noise('input', 3 * 128 * 128)));
    const own = (await runGraph(graph, input))['embedding']!.data;
    const found = await runGraph(featureExtractor(graph, findEmbedding(graph)).graph, input);
    expect(found['embedding']!.data).toEqual(own);
  });
});
