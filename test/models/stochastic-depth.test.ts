import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepare } from '../../src/autodiff/prepare.ts';
import { InputError } from '../../src/core/errors.ts';
import { fromNumbers, sizeOf, tensor, toNumbers } from '../../src/core/tensor.ts';
import { parameterGroups } from '../../src/models/parameter-groups.ts';
import { buildModel } from '../../src/models/registry.ts';
import { residualAdditions } from '../../src/models/residual-additions.ts';
import { withStochasticDepth } from '../../src/models/stochastic-depth.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { withActiveDropout } from '../../src/train/gradient-graph.ts';
import { evaluate } from '../reference/interpreter.ts';
import { formulaWeights, noise } from './formula-weights.ts';

describe('residual additions are found', () => {
  // Blocks of the papers' tables; of inverted residuals, those with stride 1 and as many channels out as in.
  it.each([
    ['cifar_resnet8', 3],
    ['cifar_resnet56', 27],
    ['resnet18', 8],
    ['resnet50', 16],
    ['wide_resnet_28_2', 12],
    ['mobilenetv2_100', 10],
    ['mobilenetv3_small_100', 6],
    ['mobilenetv3_large_100', 10],
    ['tf_efficientnet_lite0', 9],
    ['convnext_atto', 12],
    ['vit_tiny_patch16_224', 24],
  ])('%s has %i', (name, count) => {
    const found = residualAdditions(buildModel(name, { classes: 2 }).graph);
    expect(found).toHaveLength(count);
    for (const { node } of found) expect(node.name).toMatch(/\.add[12]?$/);
  });

  const shared = new URL('../../../shared/models/', import.meta.url);
  // timm's test networks by their definitions: test_resnet has 4 blocks, test_byobnet 4, test_convnext 1 + 2 + 4 + 2, test_vit 6
  // of two; test_efficientnet's strides leave none; MobileNetV3-small at half width has one more than at full.
  describe.skipIf(!existsSync(shared))('in exported networks', () => {
    it.each([
      ['mobilenet_v2_1.0_224.onnx', 10],
      ['mobilenet_v2_1.0_224.int8-weights.onnx', 10],
      ['efficientnet_lite0_224.onnx', 9],
      ['cifar10_resnet20.onnx', 9],
      ['cifar10_resnet56.onnx', 27],
      ['mobilenet_v1_0.25_128.onnx', 0],
      ['mobilenet_v1_0.5_160.onnx', 0],
      ['zoo/byobnet_fused/model.onnx', 4],
      ['zoo/convnext_dynamo/model.onnx', 9],
      ['zoo/convnext_eval/model.onnx', 9],
      ['zoo/efficientnet_fused/model.onnx', 0],
      ['zoo/efficientnet_train/model.onnx', 0],
      ['zoo/mobilenetv3_fused/model.onnx', 7],
      ['zoo/mobilenetv3_train/model.onnx', 7],
      ['zoo/resnet_eval/model.onnx', 4],
      ['zoo/resnet_fused/model.onnx', 4],
      ['zoo/resnet_train/model.onnx', 4],
      ['zoo/vit_dynamo/model.onnx', 12],
      ['zoo/vit_eval/model.onnx', 12],
    ])('%s has %i', async (file, count) => {
      const { graph } = await loadModel(new URL(file, shared).pathname);
      expect(residualAdditions(graph)).toHaveLength(count);
    });
  });

  /** [N, 4, 6, 6] through `make`, which gets convolutions 4 to 4. */
  function found(make: (b: GraphBuilder, x: string, conv: (x: string, stride?: number) => string) => string): string[] {
    const b = new GraphBuilder('g');
    const conv = (x: string, stride = 1): string => {
      const weight = b.initializer(b.uniqueName('w'), fromNumbers('float32', [4, 4, 1, 1], [...noise('w', 16)]));
      return b.op('Conv', [x, weight], { strides: [stride, stride] });
    };
    b.output(make(b, b.input('x', 'float32', ['N', 4, 6, 6]), conv), 'y');
    return residualAdditions(b.build()).map(({ node, branch, shortcut }) => {
      expect(branch + shortcut).toBe(1);
      return `${node.name} ${node.inputs[branch]}`;
    });
  }
  const add = (b: GraphBuilder, x: string, y: string, name: string): string => b.op('Add', [x, y], {}, { name });

  it('whichever way round, as Sum, and with a pooled or padded shortcut', () => {
    expect(found((b, x, conv) => add(b, conv(x), x, 'sum'))).toEqual(['sum Conv']);
    expect(found((b, x, conv) => b.op('Sum', [x, conv(x)], {}, { name: 'sum' }))).toEqual(['sum Conv']);
    const pool = { kernel_shape: [2, 2], strides: [2, 2] };
    expect(found((b, x, conv) => add(b, conv(b.op('AveragePool', [x], pool)), conv(conv(x, 2)), 'sum'))).toEqual([
      'sum Conv_2',
    ]);
    const padded = (b: GraphBuilder, x: string): string => {
      const half = b.op('Slice', [x, b.int([0, 0]), b.int([6, 6]), b.int([2, 3]), b.int([2, 2])]);
      return b.op('Pad', [half, b.int([0, 0, 0, 0, 0, 0, 0, 0])]);
    };
    expect(found((b, x, conv) => add(b, padded(b, x), conv(x, 2), 'sum'))).toEqual(['sum Conv']);
  });

  it('in a block of two parallel branches, both', () => {
    expect(found((b, x, conv) => add(b, add(b, x, conv(x), 'first'), conv(x), 'second'))).toEqual([
      'first Conv',
      'second Conv_1',
    ]);
  });

  it('but not where nothing is a shortcut', () => {
    // Two branches alike; an activation in the way; no weights; another shape; part of the channels.
    expect(found((b, x, conv) => add(b, conv(x), conv(x), 'sum'))).toEqual([]);
    expect(found((b, x, conv) => add(b, b.op('Relu', [conv(x)]), conv(conv(x)), 'sum'))).toEqual([]);
    expect(found((b, x) => add(b, x, b.op('Mul', [x, b.float(2)]), 'sum'))).toEqual([]);
    expect(found((b, x, conv) => add(b, x, conv(b.op('GlobalAveragePool', [x])), 'sum'))).toEqual([]);
    expect(
      found((b, x, conv) => {
        const [first, second] = b.ops('Split', [conv(x)], { axis: 2, num_outputs: 2 }, { outputCount: 2 });
        return add(b, second!, conv(first!), 'sum');
      }),
    ).toEqual([]);
    expect(
      found((b, x) => {
        const part = (from: number): string => b.op('Slice', [x, b.int([from]), b.int([from + 2]), b.int([1])]);
        const weight = b.initializer('half', fromNumbers('float32', [2, 2, 1, 1], [1, 2, 3, 4]));
        return add(b, part(2), b.op('Conv', [part(0), weight]), 'sum');
      }),
    ).toEqual([]);
  });
});

/** Ready to train, for `n` images; the masks' names and rates, and what comes out for given masks. */
function trained(graph: Graph, n: number) {
  const shape = [n, ...(graph.inputs[0]!.type.shape!.slice(1) as number[])];
  const fixed = specialize(withActiveDropout(graph), { inputs: { [graph.inputs[0]!.name]: shape } });
  const { graph: prepared, masks } = prepare(fixed, { batchNorm: 'frozen', dropout: 'mask' });
  const x = fromNumbers('float64', shape, [...noise('input', sizeOf(shape))]);
  const run = (values: readonly (readonly number[])[]): number[] => {
    const drawn = masks.map(
      ({ input, shape: sides }, i) => [input, fromNumbers('float64', sides, values[i]!)] as const,
    );
    const feeds = new Map([[graph.inputs[0]!.name, x], ...drawn]);
    return toNumbers(evaluate(prepared, feeds).get(graph.outputs[0]!.name)!);
  };
  return { masks, run };
}

/** Three blocks of one convolution each, which nothing but sums and products joins: linear in every mask. */
function linearNetwork(): Graph {
  const b = new GraphBuilder('linear');
  let x = b.input('x', 'float32', ['N', 2, 2, 2]);
  for (const i of [1, 2, 3]) {
    const weight = b.initializer(`w${i}`, fromNumbers('float32', [2, 2, 1, 1], [...noise(`w${i}`, 4)]));
    x = b.op('Add', [x, b.op('Conv', [x, weight])], {}, { name: `add${i}` });
  }
  b.output(x, 'y');
  return b.build();
}

describe('withStochasticDepth', () => {
  it('has block l survive with p_l = 1 - l/L (1 - p_L), and an image keeps or loses it as a whole', () => {
    const last = 0.8;
    const { masks } = trained(withStochasticDepth(buildModel('cifar_resnet20', { classes: 2 }).graph, 1 - last), 5);
    expect(masks).toHaveLength(9);
    for (const [i, { rate, shape }] of masks.entries()) {
      expect(1 - rate).toBeCloseTo(1 - ((i + 1) / 9) * (1 - last), 6);
      expect(shape).toEqual([5, 1, 1, 1]);
    }
    const tokens = withStochasticDepth(buildModel('vit_tiny_patch16_224', { classes: 2, inputSize: 32 }).graph, 0.1);
    expect(new Set(trained(tokens, 3).masks.map(({ shape }) => String(shape)))).toEqual(new Set(['3,1,1']));
  });

  it('gives the network in expectation over the masks', () => {
    const graph = linearNetwork();
    const { masks, run } = trained(withStochasticDepth(graph, 0.6), 1);
    const expected = trained(graph, 1).run([]);
    const mean = expected.map(() => 0);
    for (let kept = 0; kept < 8; kept++) {
      const survives = masks.map((_, i) => (kept >> i) & 1);
      const chance = masks.reduce((p, { rate }, i) => p * (survives[i] ? 1 - rate : rate), 1);
      const y = run(masks.map(({ rate }, i) => [survives[i]! / (1 - rate)]));
      for (const [j, value] of y.entries()) mean[j]! += chance * value;
    }
    for (const [j, value] of mean.entries()) expect(value).toBeCloseTo(expected[j]!, 6);
  });

  it('skips the branch of the one image whose mask is 0, down to its shortcut', () => {
    const graph = linearNetwork();
    const { run } = trained(withStochasticDepth(graph, 0.6), 2);
    const ones = [1, 1];
    const whole = trained(graph, 2).run([]);
    const skipped = run(Array.from({ length: 3 }, () => [0, 1]));
    expect(run([ones, ones, ones])).toEqual(whole);
    expect(skipped.slice(0, 8)).toEqual(Array.from(noise('input', 8)));
    expect(skipped.slice(8)).toEqual(whole.slice(8));
  });

  it('changes nothing while no mask is given, nor the names of values and parameters', () => {
    const { graph, parameters } = buildModel('mobilenetv2_050', { classes: 3, inputSize: 32 });
    const weights = new Map([...graph.initializers, ...formulaWeights(graph)]);
    const deep = withStochasticDepth({ ...graph, initializers: weights }, 0.5);
    expect([...weights.keys()].every((name) => deep.initializers.has(name))).toBe(true);
    expect(parameterGroups(deep, parameters)).toEqual(parameterGroups(graph, parameters));
    const x = tensor('float32', [1, 3, 32, 32], Float32Array.from(noise('input', 3 * 32 * 32)));
    const [a, b] = [{ ...graph, initializers: weights }, deep].map((g) =>
      toNumbers(evaluate(specialize(g, { inputs: { input: [1, 3, 32, 32] } }), new Map([['input', x]])).get('logits')!),
    );
    expect(b).toEqual(a);
  });

  it('needs residual additions, and a rate below 1', () => {
    const { graph } = buildModel('digits', { classes: 2 });
    expect(() => withStochasticDepth(graph, 0.1)).toThrow(InputError);
    expect(() => withStochasticDepth(graph, 0.1)).toThrow('"digits" has none');
    expect(withStochasticDepth(graph, 0)).toBe(graph);
    for (const rate of [-0.1, 1, Number.NaN]) expect(() => withStochasticDepth(graph, rate)).toThrow(RangeError);
  });
});
