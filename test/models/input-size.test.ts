import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { fromNumbers, sizeOf, tensor, toNumbers } from '../../src/core/tensor.ts';
import { atInputSize } from '../../src/models/input-size.ts';
import { buildModel } from '../../src/models/registry.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { noise } from './formula-weights.ts';
import { runGraph } from './run-graph.ts';

/** [N, 3, 8, 8], one convolution to 5 channels, and what `end` makes of it. */
function network(end: (b: GraphBuilder, x: string) => string): Graph {
  const b = new GraphBuilder('g');
  const weight = b.initializer('w', fromNumbers('float32', [5, 3, 1, 1], [...noise('w', 15)]));
  b.output(end(b, b.op('Conv', [b.input('x', 'float32', ['N', 3, 8, 8]), weight])), 'y');
  return b.build();
}
const head = (b: GraphBuilder, x: string, width: number): string =>
  b.op('Gemm', [x, b.initializer('head', fromNumbers('float32', [2, width], [...noise('h', 2 * width)]))], {
    transB: 1,
  });

describe('atInputSize', () => {
  it.each([
    ['digits', 28, 20],
    ['cifar_resnet8', 32, 24],
    ['mobilenetv3_small_050', 64, 40],
    ['tf_efficientnet_lite0', 96, 64],
    ['convnext_atto', 64, 32],
  ])('gives the %s that is built for the other size', async (name, from, to) => {
    const resized = atInputSize(buildModel(name, { classes: 3, inputSize: from, seed: 1 }).graph, [to, to], 'nchw');
    const built = buildModel(name, { classes: 3, inputSize: to, seed: 1 }).graph;
    const x = tensor('float32', [2, 3, to, to], Float32Array.from(noise('x', 6 * to * to)));
    const [a, b] = await Promise.all([resized, built].map((graph) => runGraph(graph, x)));
    expect([...(a!['logits']!.data as Float32Array)]).toEqual([...(b!['logits']!.data as Float32Array)]);
    expect([...resized.initializers.keys()]).toEqual(expect.arrayContaining([...built.initializers.keys()]));
    expect(resized.outputs.map((output) => output.type)).toEqual(built.outputs.map((output) => output.type));
  });

  it('keeps a pooling over all of the image one', async () => {
    const pooled = network((b, x) =>
      head(b, b.op('Flatten', [b.op('AveragePool', [x], { kernel_shape: [8, 8] })], { axis: 1 }), 5),
    );
    const resized = atInputSize(pooled, [6, 4], 'nchw');
    expect(resized.nodes.map(({ opType }) => opType)).toContain('GlobalAveragePool');
    const constant = (h: number, w: number) => tensor('float32', [1, 3, h, w], new Float32Array(3 * h * w).fill(0.5));
    const [a, b] = [await runGraph(pooled, constant(8, 8)), await runGraph(resized, constant(6, 4))];
    for (const [i, y] of [...(a['y']!.data as Float32Array)].entries())
      expect(Number(b['y']!.data[i])).toBeCloseTo(y, 6);
  });

  it('says where the size is built in', () => {
    const flat = network((b, x) => head(b, b.op('Flatten', [x], { axis: 1 }), 320));
    const reshaped = network((b, x) => head(b, b.op('Reshape', [x, b.int([-1, 320])]), 320));
    const zero = network((b, x) => head(b, b.op('Reshape', [x, b.int([0, 320])]), 320));
    const map = network((_, x) => x);
    for (const graph of [flat, reshaped, zero, map]) {
      expect(() => atInputSize(graph, [4, 4], 'nchw')).toThrow(InputError);
      expect(() => atInputSize(graph, [4, 4], 'nchw')).toThrow(/takes images of 8x8 alone, not of 4x4/);
    }
  });

  const shared = new URL('../../../shared/models/', import.meta.url);
  describe.skipIf(!existsSync(shared))('on exported networks', () => {
    it.each([
      ['mobilenet_v1_0.25_128.onnx', 96],
      ['mobilenet_v2_1.0_224.onnx', 160],
      ['efficientnet_lite0_224.onnx', 160],
      ['cifar10_resnet20.onnx', 24],
      ['zoo/mobilenetv3_fused/model.onnx', 48],
      ['zoo/vit_eval/model.onnx', 96],
      ['zoo/vit_dynamo/model.onnx', 96],
    ])('%s takes %i', async (file, side) => {
      const { graph } = await loadModel(new URL(file, shared).pathname);
      const shape = [1, 3, side, side];
      const x = tensor('float32', shape, Float32Array.from(noise('x', sizeOf(shape))));
      const { logits } = await runGraph(atInputSize(graph, [side, side], 'nchw'), x);
      expect(logits!.dims).toEqual([1, (graph.outputs[0]!.type.shape as number[])[1]]);
      expect(toNumbers(tensor('float32', logits!.dims, logits!.data as Float32Array)).every(Number.isFinite)).toBe(
        true,
      );
    });
  });
});
